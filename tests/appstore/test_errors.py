"""The texts of Apple's refusals: every entry is in the text, and each situation has an error class."""

import json
from typing import Any

import httpx
import pytest

from providers.appstore.api.errors import (
    AgreementMissing,
    AppStoreError,
    CertificateLimit,
    KeyRejected,
    MembershipLapsed,
    NotFound,
    RoleMissing,
    explain,
)


def entry(code: str, title: str = "", detail: str | None = None, **more: Any) -> dict[str, Any]:
    return {"code": code, "title": title, **({"detail": detail} if detail else {}), **more}


def refusal(status: int, *entries: dict[str, Any], text: str = "") -> AppStoreError:
    content = text or json.dumps({"errors": [{"status": str(status), **entry} for entry in entries]})
    return explain(httpx.Response(status, content=content.encode(), headers={"X-Request-ID": "R1"}), "do it")


@pytest.mark.parametrize(
    ("status", "entries", "kind", "advice"),
    [
        (
            403,
            entry(
                "FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED", "A required agreement is missing or has expired."
            ),
            AgreementMissing,
            "Account Holder signs it",
        ),
        (
            403,
            entry(
                "FORBIDDEN_ERROR",
                "This request is forbidden for security reasons",
                "Team ID: ABC is not associated with an active membership.",
            ),
            MembershipLapsed,
            "Account Holder renews the membership",
        ),
        (403, entry("FORBIDDEN_ERROR", "This request is forbidden for security reasons"), RoleMissing, "role Admin"),
        (401, entry("NOT_AUTHORIZED", "Authentication credentials are missing or invalid."), KeyRejected, "is revoked"),
        (404, entry("NOT_FOUND", "The specified resource does not exist"), NotFound, "pulumi refresh"),
        (
            409,
            entry("ENTITY_ERROR", "", "You already have a current Distribution certificate or a pending request."),
            CertificateLimit,
            "You already have",
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_error_of_each_situation(status: int, entries: dict[str, Any], kind: type[AppStoreError], advice: str) -> None:
    """With who fixes it, and where."""
    error = refusal(status, entries)

    assert type(error) is kind
    assert advice in str(error)
    assert "\n" not in str(error)


def test_refused_operation() -> None:
    """It is not reported as a missing role."""
    error = refusal(403, entry("FORBIDDEN_ERROR", "", "The resource 'apps' does not allow 'CREATE'."))

    assert type(error) is AppStoreError


def test_two_entries() -> None:
    """The second one can be the one that matters."""
    error = refusal(
        409,
        entry("STATE_ERROR", "It cannot be."),
        entry("ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE", "", "It is taken."),
    )

    assert error.has("ENTITY_ERROR.ATTRIBUTE.INVALID")
    assert str(error) == (
        "App Store Connect refused to do it: It cannot be [STATE_ERROR]; It is taken "
        "[ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE] (HTTP 409)"
    )


def test_codes_matched_by_parts() -> None:
    error = refusal(409, entry("ENTITY_ERROR_OF_ANOTHER_KIND"))

    assert not error.has("ENTITY_ERROR")


def test_associated_errors() -> None:
    deeper = {"/v1/builds/1": [entry("STATE_ERROR.ENTITY_STATE_INVALID", "", "The build has expired.")]}

    error = refusal(409, entry("STATE_ERROR", "It cannot be.", meta={"associatedErrors": deeper}))

    assert "The build has expired [STATE_ERROR.ENTITY_STATE_INVALID]" in str(error)


def test_property_named() -> None:
    """Where Apple's text does not name it."""
    error = refusal(409, entry("ENTITY_ERROR", "", "Not like this.", source={"pointer": "/data/attributes/name"}))

    assert "name: Not like this [ENTITY_ERROR]" in str(error)


@pytest.mark.parametrize("text", ["<html>Bad Gateway</html>", '"a text"', "[]"])
def test_response_without_errors(text: str) -> None:
    """It is shown, shortened."""
    error = refusal(403, text=text * 200)

    assert error.status == 403
    assert len(str(error)) < 700


def test_request_id() -> None:
    assert refusal(409, entry("ENTITY_ERROR")).request_id == "R1"
