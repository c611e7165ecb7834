"""The Alertmanager configuration: the receiver of each alert, for each kind of receiver."""

from pathlib import Path

import pytest
import yaml

from components.monitoring.machines import RECEIVERS, Receiver, alertmanager_yml
from tests.monitoring.conftest import Run
from tests.monitoring.tools import WEBHOOKS, Alert, alerts
from tests.needs import needs

RECEIVER_OF = {"critical": "page", "warning": "ticket", "none": "deadman"}
NASTY = "https://hooks.example/a\"b: {c}'#$d"


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(WEBHOOKS)
    return path


@needs("amtool")
@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_route_by_severity(run: Run, config: Path, alert: Alert) -> None:
    severity = alert.rule["labels"]["severity"]

    run(
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={config}",
        f"--verify.receivers={RECEIVER_OF[severity]}",
        f"alertname={alert.name}",
        f"severity={severity}",
        "app=solos-prod",
    )


@needs("amtool")
@pytest.mark.parametrize("kind", RECEIVERS)
def test_receiver_kinds(run: Run, tmp_path: Path, kind: str) -> None:
    receiver = Receiver(kind=kind, secret="https://hooks.example/T0/B0")
    path = tmp_path / "alertmanager.yml"
    path.write_text(
        alertmanager_yml(page=receiver, ticket=receiver, heartbeat="https://beat.example/1", repository="https://x/")
    )

    output = run("amtool", "check-config", path)

    assert "SUCCESS" in output
    assert "3 receivers" in output


def test_secrets_are_escaped() -> None:
    rendered = alertmanager_yml(
        page=Receiver(kind="slack", secret=NASTY), ticket=Receiver(kind="webhook", secret=NASTY), heartbeat=NASTY
    )

    page, ticket, deadman = yaml.safe_load(rendered)["receivers"]

    assert page["slack_configs"][0]["api_url"] == NASTY
    assert ticket["webhook_configs"][0]["url"] == NASTY
    assert deadman["webhook_configs"][0]["url"] == NASTY


def test_inhibited_alerts_exist() -> None:
    names = {alert.name for alert in alerts()}

    matchers = [
        matcher
        for rule in yaml.safe_load(WEBHOOKS)["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]

    assert {name for matcher in matchers for name in matcher.split('"')[1].split("|")} <= names


def test_heartbeat_interval() -> None:
    """Services of this kind want a ping every minute or two and alarm after five."""
    watchdog = yaml.safe_load(WEBHOOKS)["route"]["routes"][0]

    assert watchdog["matchers"] == ['alertname="Watchdog"']
    assert (watchdog["group_interval"], watchdog["repeat_interval"]) == ("30s", "1m")


def test_secrets_not_in_repr() -> None:
    assert "hooks.example" not in repr(Receiver(kind="webhook", secret="https://hooks.example/1"))
