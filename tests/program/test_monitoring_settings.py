"""The settings of the monitor."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.config import StackConfig
from components.monitoring.settings import MonitoringSettings, read_monitoring
from harness.program import engine_config
from tests.program.test_settings import MONITORING_SECRETS

GOOD: dict[str, Any] = {
    "page": "pagerduty",
    "ticket": "slack",
    "sink": "loki",
    "sinkUrl": "https://logs.example",
    "sinkUser": "1",
}
ENCRYPTED = ("solos:monitoringSecrets",)


def read(
    values: Mapping[str, Any],
    secrets: Mapping[str, Any],
    secret_keys: tuple[str, ...] = ENCRYPTED,
    app: str = "solos-prod",
) -> tuple[MonitoringSettings | None, list[str]]:
    """The settings, and what is wrong with them."""
    config = StackConfig(
        engine_config({"monitoring": dict(values), "monitoringSecrets": dict(secrets)}), secret_keys, "solos"
    )
    settings = read_monitoring(config, app, "sjc")
    return settings, [str(problem) for problem in config.problems]


def test_no_monitor() -> None:
    assert read({}, {}) == (None, [])


def test_defaults() -> None:
    settings, problems = read({"page": "webhook"}, MONITORING_SECRETS | {"sinkToken": ""})

    assert problems == []
    assert settings is not None
    assert (settings.region, settings.logs, settings.sink, settings.drill) == ("ord", True, None, True)
    assert settings.uptime_seconds is None
    assert settings.ticket == settings.page


def test_repr_hides_secrets() -> None:
    settings, _ = read(GOOD, MONITORING_SECRETS)

    assert not [value for value in MONITORING_SECRETS.values() if value in repr(settings)]


def test_token_with_its_scheme() -> None:
    """`fly tokens create` prints the scheme before the token, and Prometheus adds it."""
    settings, problems = read(
        {"page": "webhook"}, MONITORING_SECRETS | {"sinkToken": "", "metricsToken": "FlyV1 fm2_a,fm2_b"}
    )

    assert not problems
    assert settings
    assert settings.metrics_token == "fm2_a,fm2_b"


@pytest.mark.parametrize("name", ["metricsToken", "page", "ticket", "heartbeat", "sinkToken"])
def test_missing_secret(name: str) -> None:
    _, (problem,) = read(GOOD, {key: value for key, value in MONITORING_SECRETS.items() if key != name})

    assert problem.startswith(f"monitoringSecrets.{name}: is missing")


def test_unencrypted_secrets() -> None:
    _, (problem,) = read(GOOD, MONITORING_SECRETS, secret_keys=())

    assert problem.startswith("monitoringSecrets: is not encrypted")
    assert "example" not in problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"page": "pager"}, "monitoring.page: must be webhook, slack or pagerduty, not 'pager'"),
        (
            {"region": "sjc"},
            "monitoring.region: sjc is the region of the app, and both would fail together; set another region",
        ),
        ({"sink": "splunk"}, "monitoring.sink: must be loki or http, not 'splunk'"),
        (
            {"sinkUser": ""},
            "monitoring.sinkUser: is missing; set it: without a user Telegraf sends no password to Loki",
        ),
        ({"sinkUrl": "logs.example"}, "monitoring.sinkUrl: must be the URL that log lines are sent to"),
        (
            {"logs": "false"},
            "monitoring.sink: gets no lines without the log machine; remove `logs: false`",
        ),
        ({"drill": "no"}, "monitoring.drill: must be true or false, not 'no'"),
        ({"dril": "false"}, "monitoring.dril: is unknown; did you mean drill?"),
        ({"uptimeCheck": "pingdom"}, "monitoring.uptimeCheck: must be betterstack, not 'pingdom'"),
        ({"uptimeSeconds": "60"}, "monitoring.uptimeCheck: is missing; set it to betterstack"),
    ],
)
def test_refused_value(change: dict[str, str], problem: str) -> None:
    assert read(GOOD | change, MONITORING_SECRETS)[1] == [problem]


def test_refused_uptime_seconds() -> None:
    _, (problem,) = read(GOOD | {"uptimeCheck": "betterstack", "uptimeSeconds": "20"}, MONITORING_SECRETS)

    assert problem.startswith("monitoring.uptimeSeconds: a monitor cannot check every 20 s; set one of 30, 45, 60,")


def test_receiver_secret_is_url() -> None:
    _, (problem,) = read(GOOD, MONITORING_SECRETS | {"ticket": "T0/B0/xyz"})

    assert problem == "monitoringSecrets.ticket: must be a URL that begins with https://"


def test_app_name_leaves_room() -> None:
    _, (problem,) = read(GOOD, MONITORING_SECRETS, app="a" * 56)

    assert problem.startswith("app: 'aaa")
