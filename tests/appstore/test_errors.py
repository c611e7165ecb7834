"""What people read when Apple refuses: every entry, and each situation that somebody must mend as an error of its own."""

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
    content = text or json.dumps({"errors": [{"status": str(status), **each} for each in entries]})
    return explain(httpx.Response(status, content=content.encode(), headers={"X-Request-ID": "R1"}), "do it")


@pytest.mark.parametrize(
    ("status", "told", "kind", "advice"),
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
def test_each_situation_has_its_own_error_and_says_who_mends_it(
    status: int, told: dict[str, Any], kind: type[AppStoreError], advice: str
) -> None:
    error = refusal(status, told)

    assert type(error) is kind
    assert advice in str(error)
    assert "\n" not in str(error)


def test_a_refused_operation_is_not_blamed_on_the_role() -> None:
    error = refusal(403, entry("FORBIDDEN_ERROR", "", "The resource 'apps' does not allow 'CREATE'."))

    assert type(error) is AppStoreError


def test_the_second_of_two_entries_may_be_the_telling_one() -> None:
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


def test_codes_are_matched_by_whole_parts() -> None:
    error = refusal(409, entry("ENTITY_ERROR_OF_ANOTHER_KIND"))

    assert not error.has("ENTITY_ERROR")


def test_what_is_wrong_with_related_objects_is_told_too() -> None:
    deeper = {"/v1/builds/1": [entry("STATE_ERROR.ENTITY_STATE_INVALID", "", "The build has expired.")]}

    error = refusal(409, entry("STATE_ERROR", "It cannot be.", meta={"associatedErrors": deeper}))

    assert "The build has expired [STATE_ERROR.ENTITY_STATE_INVALID]" in str(error)


def test_the_property_is_named_where_apples_text_does_not() -> None:
    error = refusal(409, entry("ENTITY_ERROR", "", "Not like this.", source={"pointer": "/data/attributes/name"}))

    assert "name: Not like this [ENTITY_ERROR]" in str(error)


@pytest.mark.parametrize("text", ["<html>Bad Gateway</html>", '"a text"', "[]"])
def test_an_answer_that_is_no_document_is_shown_shortened(text: str) -> None:
    error = refusal(403, text=text * 200)

    assert error.status == 403
    assert len(str(error)) < 700


def test_what_apples_support_asks_for_is_kept() -> None:
    assert refusal(409, entry("ENTITY_ERROR")).request_id == "R1"
