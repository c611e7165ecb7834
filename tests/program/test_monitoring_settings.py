"""What a stack may say about its monitor."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.config import StackConfig
from components.monitoring.settings import MonitoringSettings, read_monitoring
from tests.program.test_settings import MONITORING_SECRETS, as_engine

GOOD: dict[str, Any] = {
    "page": "pagerduty",
    "ticket": "slack",
    "sink": "loki",
    "sinkUrl": "https://logs.example",
    "sinkUser": "1",
}
ENCRYPTED = ("solos:monitoringSecrets",)


def read(
    told: Mapping[str, Any],
    secrets: Mapping[str, Any],
    secret_keys: tuple[str, ...] = ENCRYPTED,
    app: str = "solos-prod",
) -> tuple[MonitoringSettings | None, list[str]]:
    """The settings, and what is wrong with them."""
    config = StackConfig(as_engine({"monitoring": dict(told), "monitoringSecrets": dict(secrets)}), secret_keys)
    settings = read_monitoring(config, app, "sjc")
    return settings, [problem.removeprefix("solos:") for problem in config.problems]


def test_a_stack_that_says_nothing_has_no_monitor() -> None:
    assert read({}, {}) == (None, [])


def test_what_is_left_out_has_a_default() -> None:
    settings, problems = read({"page": "webhook"}, MONITORING_SECRETS | {"sinkToken": ""})

    assert problems == []
    assert settings is not None
    assert (settings.region, settings.logs, settings.sink, settings.drill) == ("ord", True, None, True)
    assert settings.ticket == settings.page


def test_no_secret_is_shown_by_accident() -> None:
    settings, _ = read(GOOD, MONITORING_SECRETS)

    assert not [value for value in MONITORING_SECRETS.values() if value in repr(settings)]


@pytest.mark.parametrize("name", ["metricsToken", "page", "ticket", "heartbeat", "sinkToken"])
def test_a_secret_that_is_missing_is_named(name: str) -> None:
    _, (problem,) = read(GOOD, {key: value for key, value in MONITORING_SECRETS.items() if key != name})

    assert problem.startswith(f"monitoringSecrets.{name}: is missing")


def test_secrets_in_clear_are_refused_without_being_shown() -> None:
    _, (problem,) = read(GOOD, MONITORING_SECRETS, secret_keys=())

    assert problem.startswith("monitoringSecrets: is readable by everybody")
    assert "example" not in problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"page": "pager"}, "monitoring.page: must be webhook, slack or pagerduty, not 'pager'"),
        ({"region": "sjc"}, "monitoring.region: is sjc, the app's own: a monitor there would die with the app"),
        ({"sink": "splunk"}, "monitoring.sink: must be loki or http, not 'splunk'"),
        (
            {"sinkUser": ""},
            "monitoring.sinkUser: is missing: without a user Telegraf sends no password to Loki",
        ),
        ({"sinkUrl": "logs.example"}, "monitoring.sinkUrl: must be the URL to which the lines go"),
        (
            {"logs": "false"},
            "monitoring.sink: gets nothing without the log machine: take `logs: false` away",
        ),
        ({"drill": "no"}, 'monitoring.drill: must be "true" or "false", not \'no\''),
        ({"dril": "false"}, "monitoring.dril: is unknown; did you mean drill?"),
    ],
)
def test_a_bad_value_is_refused_by_its_place(change: dict[str, str], problem: str) -> None:
    assert read(GOOD | change, MONITORING_SECRETS)[1] == [problem]


def test_a_receivers_secret_is_a_url_and_is_not_shown() -> None:
    _, (problem,) = read(GOOD, MONITORING_SECRETS | {"ticket": "T0/B0/xyz"})

    assert problem == "monitoringSecrets.ticket: must be a URL that begins with https://"


def test_an_app_name_leaves_room_for_the_monitors() -> None:
    _, (problem,) = read(GOOD, MONITORING_SECRETS, app="a" * 56)

    assert problem.startswith("app: 'aaa")
