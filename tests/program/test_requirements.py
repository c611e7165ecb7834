"""What has to hold before a launch can be declared, as far as the testers' phones tell it."""

from typing import Any

import pytest

from components.launch import Seen, _requirements
from components.settings import LaunchSettings
from components.smoke_test import SmokeTest

ADA = "ada@sollabs.example"
SEEN: dict[str, Any] = {
    "verified_at": "2026-11-27T09:00:00+00:00",
    "instance": "01M8",
    "image": "registry.fly.io/solserver@sha256:0",
    "internal_state": "IN_BETA_TESTING",
    "missing": [],
    "devices": {ADA: ["iPhone17,1, iOS 26.1: 1.0.0 (0)"]},
    "sessions": 3,
    "crashes": 0,
}


def open_of(**changes: Any) -> dict[str, str]:
    """What is open, by requirement."""
    smoke_test = SmokeTest(features=[], testers=[ADA], sign_offs={})
    settings = LaunchSettings(smoke_test=smoke_test, waivers={}, declared_by="", withdrawn="")
    stated = _requirements(Seen(**{**SEEN, **changes}), settings)
    return {each["key"]: each["open"] for each in stated if each["open"]}


def test_nothing_is_open_when_everybody_uses_a_build_that_does_not_crash() -> None:
    assert open_of() == {}


@pytest.mark.parametrize(
    ("change", "requirement", "problem"),
    [
        ({"missing": [ADA]}, "installed", f"{ADA} have not installed the build"),
        ({"internal_state": "EXPIRED"}, "distributed", "the build is EXPIRED"),
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
