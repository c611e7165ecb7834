"""What the checklist says of certificate and profile."""

from typing import Any

import pytest

from report.checklist import examine
from report.state import read
from tests.report.test_state import entry, state

GOOD: dict[str, Any] = {
    "name": "Apple Distribution: Sol Labs (SLLABS4TM1)",
    "serial_number": "76ECE721",
    "expires_at": "2999-01-02T00:00:00+00:00",
    "full_name": "SolOS App Store 3267fb3b",
    "profile_state": "ACTIVE",
}


def finding(*kinds: str, **changes: Any) -> tuple[str, str]:
    """State and evidence of the row, when the stack holds these kinds."""
    outputs = {**GOOD, **changes}
    resources = [entry(f"pulumi-python:dynamic/{kind}", kind, outputs=outputs) for kind in kinds]
    found = examine(read(state(entry("pulumi:pulumi:Stack", "solos-prod"), *resources)))
    (row,) = (each for each in found if each.row.key == "signing")
    return row.state, row.evidence


def test_certificate_and_profile_are_shown_with_their_last_day() -> None:
    row, evidence = finding("appstore:Certificate", "appstore:Profile")

    assert row == "ok"
    assert evidence == (
        "Apple Distribution: Sol Labs (SLLABS4TM1), serial number 76ECE721, until 2999-01-02; "
        "profile 'SolOS App Store 3267fb3b' until 2999-01-02"
    )


def test_a_stack_that_keeps_none_says_how_it_would() -> None:
    row, evidence = finding()

    assert row == "missing"
    assert "set solos:signing, or waive this row" in evidence


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"profile_state": "INVALID"}, "profile 'SolOS App Store 3267fb3b' is INVALID: run up again"),
        ({"expires_at": "2020-01-02T00:00:00+00:00"}, "expired 2020-01-02: run up again"),
    ],
)
def test_what_cannot_be_signed_with_any_more_has_failed(wrong: dict[str, str], told: str) -> None:
    row, evidence = finding("appstore:Certificate", "appstore:Profile", **wrong)

    assert row == "failed"
    assert evidence.startswith(told)
