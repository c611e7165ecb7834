"""What has to hold before a launch can be declared: the row of the checklist, and what is said while it is open."""

from typing import Any

import pytest

from components.launch.component import Seen, _requirements
from components.launch.smoke_test import SmokeTest

ADA = "ada@sollabs.example"
SEEN: dict[str, Any] = {
    "verified_at": "2026-11-27T09:00:00+00:00",
    "instance": "01M8",
    "image": "registry.fly.io/solserver@sha256:0",
    "restored_at": "2026-11-27T09:01:00+00:00",
    "watched_at": "2026-11-27T09:02:00+00:00",
    "lines": 12,
    "alert_resolved_at": "2026-11-27T09:04:00+00:00",
    "profile": "SolOS App Store 45f93f0e",
    "uploaded_at": "2026-11-27T09:05:00+00:00",
    "looked_at": "2026-11-27T09:30:00+00:00",
    "internal_state": "IN_BETA_TESTING",
    "missing": [],
    "devices": {ADA: ["iPhone17,1, iOS 26.1: 1.0.0 (0)"]},
    "sessions": 3,
    "crashes": 0,
}


def open_of(*, with_monitor: bool = True, **changes: Any) -> dict[str, str]:
    """What is open, by requirement."""
    smoke_test = SmokeTest(features=[], testers=[ADA], sign_offs={})
    stated = _requirements(Seen(**{**SEEN, **changes}), smoke_test, with_monitor=with_monitor)
    return {each["key"]: each["open"] for each in stated if each["open"]}


def test_nothing_is_open_when_everybody_uses_a_build_that_does_not_crash() -> None:
    assert open_of() == {}


@pytest.mark.parametrize(
    ("change", "requirement", "problem"),
    [
        ({"missing": [ADA]}, "installed", f"{ADA} have not installed the build"),
        ({"internal_state": "EXPIRED"}, "distributed", "the build is EXPIRED"),
        ({"restored_at": ""}, "backups", 'no restore is tried: solos:database.restoreDrill is "false"'),
        ({"lines": 0}, "logging", "no log line had come when the monitor was asked"),
        ({"alert_resolved_at": ""}, "alerting", 'it is not proven: solos:monitoring.drill is "false"'),
        (
            {"profile": ""},
            "signing",
            "the stack keeps no certificate: set solos:signing, or waive this row where builds are signed elsewhere",
        ),
        ({"crashes": 1}, "no-crashes", "1 crashes in 3 sessions"),
        (
            {"sessions": 0},
            "no-crashes",
            "Apple has counted no use of the build yet, which takes it hours: run up again",
        ),
    ],
)
def test_what_is_open_is_said(change: dict[str, Any], requirement: str, problem: str) -> None:
    assert open_of(**change) == {requirement: problem}


def test_without_a_monitor_all_that_it_would_prove_is_open() -> None:
    not_watched = {"watched_at": "", "lines": 0, "alert_resolved_at": ""}

    assert open_of(with_monitor=False, **not_watched) == dict.fromkeys(
        ("monitoring", "logging", "alerting"), "there is no monitor: solos:monitoring is empty"
    )
