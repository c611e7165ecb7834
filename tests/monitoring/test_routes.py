"""Alertmanager's configuration: whom each alert reaches, with each kind of receiver."""

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
def test_each_alert_reaches_the_receiver_of_its_severity(run: Run, config: Path, alert: Alert) -> None:
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
def test_each_kind_of_receiver_makes_a_valid_file(run: Run, tmp_path: Path, kind: str) -> None:
    receiver = Receiver(kind=kind, secret="https://hooks.example/T0/B0")
    path = tmp_path / "alertmanager.yml"
    path.write_text(
        alertmanager_yml(page=receiver, ticket=receiver, heartbeat="https://beat.example/1", repository="https://x/")
    )

    output = run("amtool", "check-config", path)

    assert "SUCCESS" in output
    assert "3 receivers" in output


def test_a_secret_cannot_break_out_of_its_place() -> None:
    rendered = alertmanager_yml(
        page=Receiver(kind="slack", secret=NASTY), ticket=Receiver(kind="webhook", secret=NASTY), heartbeat=NASTY
    )

    page, ticket, deadman = yaml.safe_load(rendered)["receivers"]

    assert page["slack_configs"][0]["api_url"] == NASTY
    assert ticket["webhook_configs"][0]["url"] == NASTY
    assert deadman["webhook_configs"][0]["url"] == NASTY


def test_inhibition_names_only_alerts_that_exist() -> None:
    names = {alert.name for alert in alerts()}

    matchers = [
        matcher
        for rule in yaml.safe_load(WEBHOOKS)["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]

    assert {name for matcher in matchers for name in matcher.split('"')[1].split("|")} <= names


def test_the_dead_mans_switch_is_asked_more_often_than_it_is_patient() -> None:
    """Services of this kind want a ping every minute or two and alarm after five."""
    watchdog = yaml.safe_load(WEBHOOKS)["route"]["routes"][0]

    assert watchdog["matchers"] == ['alertname="Watchdog"']
    assert (watchdog["group_interval"], watchdog["repeat_interval"]) == ("30s", "1m")


def test_a_receivers_secret_is_not_shown_by_accident() -> None:
    assert "hooks.example" not in repr(Receiver(kind="webhook", secret="https://hooks.example/1"))
