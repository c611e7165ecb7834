"""Apple's errors; handlers raise them. Texts are exact where a public source quotes them.

The texts of functions with the docstring "Text assumed." have no such source: match status and code only.
"""

import uuid
from typing import Any

from rehearsal.cloud.service import Refusal


def refuse(
    status: int,
    code: str,
    title: str,
    detail: str | None = None,
    *,
    pointer: str | None = None,
    parameter: str | None = None,
) -> Refusal:
    """A response with one error, in Apple's envelope: `status` is a string in it, `detail` is optional."""
    error: dict[str, Any] = {"id": str(uuid.uuid4()), "status": str(status), "code": code, "title": title}
    if detail is not None:
        error["detail"] = detail
    if pointer:
        error["source"] = {"pointer": pointer}
    if parameter:
        error["source"] = {"parameter": parameter}
    return Refusal({"errors": [error]}, status)


def not_authorized() -> Refusal:
    return refuse(
        401,
        "NOT_AUTHORIZED",
        "Authentication credentials are missing or invalid.",
        "Provide a properly configured and signed bearer token, and make sure that it has not expired. Learn more about "
        "Generating Tokens for API Requests https://developer.apple.com/go/?id=api-generating-tokens",
    )


def invalid_characters(name: str, characters: str) -> Refusal:
    """The text of a public report (https://github.com/indiagrams/apple-shipkit/pull/137)."""
    return refuse(
        409,
        "ENTITY_ERROR.ATTRIBUTE.INVALID.INVALID_CHARACTERS",
        "An attribute value has invalid characters.",
        f"Text for {name} contains invalid characters:'[{characters}]'.",
        pointer=f"/data/attributes/{name}",
    )


def role_missing() -> Refusal:
    return refuse(
        403,
        "FORBIDDEN_ERROR",
        "This request is forbidden for security reasons",
        "The API key in use does not allow this request",
    )


def agreement_missing() -> Refusal:
    return refuse(
        403,
        "FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED",
        "A required agreement is missing or has expired.",
        "This request requires an in-effect agreement that has not been signed or has expired.",
    )


def operation_not_allowed(type: str, operation: str, allowed: list[str]) -> Refusal:
    return refuse(
        403,
        "FORBIDDEN_ERROR",
        "The given operation is not allowed",
        f"The resource '{type}' does not allow '{operation}'. Allowed operations are: {', '.join(sorted(allowed))}",
    )


def no_such_resource(type: str, id: str) -> Refusal:
    return refuse(
        404,
        "NOT_FOUND",
        "The specified resource does not exist",
        f"There is no resource of type '{type}' with id '{id}'",
    )


def no_such_path() -> Refusal:
    """Text assumed."""
    return refuse(
        404,
        "NOT_FOUND",
        "The specified resource does not exist",
        "The path provided does not match a defined resource type.",
    )


def rate_limit_exceeded() -> Refusal:
    return refuse(
        429,
        "RATE_LIMIT_EXCEEDED",
        "The request rate limit has been reached.",
        "We've received too many requests for this API. Please wait and try again or slow down your request rate.",
    )


def parameter_illegal(name: str) -> Refusal:
    return refuse(
        400,
        "PARAMETER_ERROR.ILLEGAL",
        "A given parameter is not allowed for this request",
        f"The parameter '{name}' can not be used with this request",
        parameter=name,
    )


def parameter_invalid(name: str, detail: str) -> Refusal:
    return refuse(
        400,
        "PARAMETER_ERROR.INVALID",
        "A parameter has an invalid value",
        detail,
        parameter=name,
    )


def parameter_missing(name: str) -> Refusal:
    """Text assumed."""
    return refuse(
        400,
        "PARAMETER_ERROR.REQUIRED",
        "A required parameter is missing",
        f"You must provide a value for the parameter '{name}'",
        parameter=name,
    )


def unreadable_document(detail: str) -> Refusal:
    """Text assumed."""
    return refuse(422, "ENTITY_UNPROCESSABLE", "The request entity is not a valid request document object", detail)


def entity(detail: str) -> Refusal:
    """`ENTITY_ERROR` with the reason as detail."""
    return refuse(409, "ENTITY_ERROR", "There is a problem with the request entity", detail)


def attribute_required(name: str) -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.ATTRIBUTE.REQUIRED",
        "The provided entity is missing a required attribute",
        f"You must provide a value for the attribute '{name}' with this request",
        pointer=f"/data/attributes/{name}",
    )


def attribute_unknown(type: str, name: str) -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.ATTRIBUTE.UNKNOWN",
        "The provided entity includes an unknown attribute",
        f"'{name}' is not an attribute on the resource '{type}'",
        pointer=f"/data/attributes/{name}",
    )


def attribute_not_allowed(name: str, operation: str) -> Refusal:
    """Text assumed."""
    return refuse(
        409,
        "ENTITY_ERROR.ATTRIBUTE.NOT_ALLOWED",
        "An attribute in the provided entity is not allowed for this request",
        f"The attribute '{name}' can not be included in a '{operation}' request",
        pointer=f"/data/attributes/{name}",
    )


def attribute_invalid(name: str, detail: str) -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.ATTRIBUTE.INVALID",
        "An attribute in the provided entity has invalid value",
        detail,
        pointer=f"/data/attributes/{name}",
    )


def locale_taken() -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.ATTRIBUTE.INVALID",
        "The provided entity includes an attribute with an invalid value",
        "There is an entity with same 'locale'.",
        pointer="/data/attributes/locale",
    )


def relationship_unknown(type: str, name: str) -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.RELATIONSHIP.UNKNOWN",
        "The provided entity includes an unknown relationship",
        f"'{name}' is not a relationship on the resource '{type}'",
        pointer=f"/data/relationships/{name}",
    )


def relationship_required(name: str) -> Refusal:
    """Text assumed."""
    return refuse(
        409,
        "ENTITY_ERROR.RELATIONSHIP.REQUIRED",
        "The provided entity is missing a required relationship",
        f"You must provide a value for the relationship '{name}' with this request",
        pointer=f"/data/relationships/{name}",
    )


def relationship_not_allowed(name: str, detail: str) -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.RELATIONSHIP.NOT_ALLOWED",
        "A relationship in the provided entity is not allowed for this request",
        detail,
        pointer=f"/data/relationships/{name}",
    )


def relationship_invalid(name: str, type: str = "", id: str = "") -> Refusal:
    return refuse(
        409,
        "ENTITY_ERROR.RELATIONSHIP.INVALID",
        "The provided entity includes a relationship with an invalid value",
        f"There is no resource of type '{type}' with id '{id}'" if type else None,
        pointer=f"/data/relationships/{name}",
    )


def state(detail: str | None = None) -> Refusal:
    """Another resource is not in the required state."""
    return refuse(
        409, "STATE_ERROR", "The request cannot be fulfilled because of the state of another resource.", detail
    )


def unprocessable(title: str, detail: str) -> Refusal:
    return refuse(422, "ENTITY_UNPROCESSABLE", title, detail)
