"""The Alertmanager configuration: the receiver of each alert, for each kind of receiver."""

import re
from pathlib import Path

import pytest
import yaml

from components.monitoring.machines import RECEIVERS, Receiver, alertmanager_yml
from tests.monitoring.conftest import Run
from tests.monitoring.tools import WEBHOOKS, Alert, alerts
from tests.needs import needs

RECEIVER_OF = {"critical": "page", "warning": "ticket", "none": "deadman"}
MUTED_BY = {
    "AppNotificationsFailing": ["Watchdog"],
    "AppHealthDown": [
        "AppHealthFlapping",
        "AppServerErrors",
        "AppSlow",
        "AppMemoryLow",
        "AppCpuThrottled",
        "AppErrorBurst",
        "AppMachineExitedWithError",
    ],
    "AppVolumeFull": ["AppVolumeFilling", "AppVolumeFullInADay"],
    "AppCertificateExpiringSoon": ["AppCertificateExpiring"],
}
MATCHER = re.compile(r'(alertname)(=~?)"([^"]+)"')
NASTY = "https://hooks.example/a\"b: {c}'#$d"


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(WEBHOOKS)
    return path


@needs("amtool")
@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_receiver_of_alert(run: Run, config: Path, alert: Alert) -> None:
    """By severity; an alert about a receiver that fails goes to every receiver of people."""
    receivers = (
        "page,ticket" if alert.name == "AppNotificationsFailing" else RECEIVER_OF[alert.rule["labels"]["severity"]]
    )
    labels = [f"{name}={value}" for name, value in alert.rule["labels"].items()]

    run(
        "amtool",
        "config",
        "routes",
        "test",
        f"--config.file={config}",
        f"--verify.receivers={receivers}",
        f"alertname={alert.name}",
        "app=solos-prod",
        *labels,
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


def test_inhibitions() -> None:
    """Which alert mutes which: exactly these pairs, so none in the other direction. Nothing mutes a page from outside."""
    names = [alert.name for alert in alerts()]
    rules = yaml.safe_load(WEBHOOKS)["inhibit_rules"]

    muted = {
        (source, target)
        for rule in rules
        for source in names
        for target in names
        if _matches(rule["source_matchers"], source) and _matches(rule["target_matchers"], target)
    }

    assert muted == {(source, target) for source, targets in MUTED_BY.items() for target in targets}
    assert all(rule["equal"] == ["app"] for rule in rules)


def _matches(matchers: list[str], name: str) -> bool:
    return all(
        re.fullmatch(value if operator == "=~" else re.escape(value), name)
        for label, operator, value in (MATCHER.fullmatch(matcher).groups() for matcher in matchers)  # type: ignore[union-attr]
    )


def test_timing() -> None:
    """A second alert does not wait for the group of the first, and the heartbeat comes every minute: services of that kind alarm
    after five."""
    route = yaml.safe_load(WEBHOOKS)["route"]
    watchdog, *others = route["routes"]

    assert (route["group_by"], route["group_wait"], route["group_interval"]) == (["app", "alertname"], "15s", "1m")
    assert route["repeat_interval"] == "12h"
    assert (watchdog["group_wait"], watchdog["group_interval"], watchdog["repeat_interval"]) == ("0s", "30s", "1m")
    assert {other["repeat_interval"] for other in others} == {"1h"}


def test_secrets_not_in_repr() -> None:
    assert "hooks.example" not in repr(Receiver(kind="webhook", secret="https://hooks.example/1"))
