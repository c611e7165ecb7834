"""The alert rules: required annotations, and checks with promtool."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring.machines import FILES
from tests.monitoring.conftest import Run
from tests.monitoring.tools import Alert, alerts
from tests.needs import needs

ALERTS = alerts()
DRILL = "AppDrill"
"""Sent by providers/checks/alert_drill.py, by no rule."""
RUNBOOK = "infra-docs/ALERTS.md"
RULE_TESTS = sorted(FILES.glob("tests/*.yml"))
THRESHOLDS = {
    "AppHealthDown": ("0", "1m"),
    "AppHealthFlapping": ("0.85", "5m"),
    "AppNoMachine": ("1 1 0 0", "1m"),
    "AppOutOfMemory": ("0", ""),
    "AppRestartLoop": ("3 0", ""),
    "AppMachineExitedWithError": ("0", ""),
    "AppCertificateExpiring": ("14", "1h"),
    "AppCertificateExpiringSoon": ("3", "10m"),
    "AppBackupStale": ("0", "15m"),
    "AppBackupUnverified": ("1800", "10m"),
    "AppBackupSilent": ("1", "5m"),
    "AppBackupErrors": ("0 0 0 0", "5m"),
    "AppErrorBurst": ("10", ""),
    "AppLogsSilent": ("0 1 1", "10m"),
    "AppLogVolume": ("30000", "5m"),
    "Watchdog": ("", ""),
    "AppProbeMissing": ("", "2m"),
    "AppPlatformMetricsMissing": ("0 0 1 0.5", "10m"),
    "AppMonitorTargetDown": ("0", "5m"),
    "AppNotificationsFailing": ("0", "1m"),
    "AppMonitorMisconfigured": ("0 0 0 1", "5m"),
    "AppServerErrors": ("0.05 5 0", "3m"),
    "AppSlow": ("1 20", "10m"),
    "AppMemoryLow": ("0.10", "10m"),
    "AppCpuThrottled": ("0.25", "15m"),
    "AppLogSinkFailing": ("0 0 0", "5m"),
    "AppVolumeFilling": ("0.85", "15m"),
    "AppVolumeFull": ("0.95", "2m"),
    "AppVolumeFullInADay": ("0 240", "30m"),
    "AppVolumeUnmeasured": ("1", "15m"),
}
"""By alert: the numbers it compares with, and how long that has to last. Tuning an alert changes both places."""
COMPARED = re.compile(r"[<>=]=? (\d+(?:\.\d+)?)")
by_name = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


@by_name
def test_alert_annotations(alert: Alert) -> None:
    """An alert has a severity, a summary and a link to the runbook."""
    annotations = alert.rule["annotations"]

    assert alert.rule["labels"]["severity"] in {"critical", "warning", "none"}
    assert annotations["summary"]
    assert annotations["runbook"] == f"{RUNBOOK}#alert-{alert.name.lower()}"


def test_thresholds() -> None:
    found = {
        alert.name: (" ".join(COMPARED.findall(alert.rule["expr"])), alert.rule.get("for", "")) for alert in ALERTS
    }

    assert found == THRESHOLDS


def test_runbook_sections() -> None:
    text = (FILES.parent / RUNBOOK).read_text()
    sections = {part.partition("\n")[0]: part for part in text.split("\n### Alert: ")[1:]}

    assert set(sections) == {alert.name for alert in ALERTS} | {DRILL}
    assert not [
        name for name, part in sections.items() for word in ("Check", "Decide", "Act") if f"**{word}**" not in part
    ]


def test_pages_say_when_it_is_fixed() -> None:
    """Also the pages that no rule of severity critical sends."""
    _, *sections = re.split(r"\n###? ", (FILES.parent / RUNBOOK).read_text())
    pages = {f"Alert: {alert.name}" for alert in ALERTS if alert.rule["labels"]["severity"] == "critical"}
    pages |= {f"Alert: {DRILL}", "Alert: Watchdog", "The uptime check at Better Stack"}

    assert {part.partition("\n")[0] for part in sections if "\n- **Fixed** " in part} == pages


def test_alert_names_are_unique() -> None:
    names = [alert.name for alert in ALERTS]

    assert len(names) == len(set(names))


def _checks(name: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """For each test case about the alert: what it expects of it, in order."""
    found = [
        (case, [check for check in case.get("alert_rule_test", ()) if check["alertname"] == name]) for case in _cases()
    ]
    return [(case, checks) for case, checks in found if checks]


@functools.cache
def _cases() -> list[dict[str, Any]]:
    return [case for path in RULE_TESTS for case in yaml.safe_load(path.read_text())["tests"]]


@pytest.mark.parametrize("alert", [alert for alert in ALERTS if alert.name != "Watchdog"], ids=lambda alert: alert.name)
def test_every_alert_has_rule_tests(alert: Alert) -> None:
    """An alert is tested silent, firing and resolved."""
    courses = ["".join("F" if check["exp_alerts"] else "." for check in checks) for _, checks in _checks(alert.name)]

    assert any(".F." in course for course in courses), f"the tests of {alert.name} go {courses}"


@needs("promtool")
def test_rule_files_parse(run: Run) -> None:
    output = run("promtool", "check", "rules", *sorted(FILES.glob("rules/*.yml")))

    assert output.count("SUCCESS") == len(list(FILES.glob("rules/*.yml")))


@needs("promtool")
@pytest.mark.parametrize("rule_test", RULE_TESTS, ids=lambda path: path.stem)
def test_rule_tests_pass(run: Run, rule_test: Path) -> None:
    output = run("promtool", "test", "rules", rule_test)

    assert "SUCCESS" in output


@needs("promtool")
def test_rule_tests_can_fail(run: Run, tmp_path: Path) -> None:
    """The suite would notice an alert that never fires."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    for rule in FILES.glob("rules/*.yml"):
        never = rule.read_text().replace('probe_success{job="health"} == 0', 'probe_success{job="health"} == 2')
        (tmp_path / "rules" / rule.name).write_text(never)
    test = tmp_path / "tests" / "availability.yml"
    test.write_text((FILES / "tests" / "availability.yml").read_text())

    with pytest.raises(AssertionError, match="AppHealthDown, time: 5m45s"):
        run("promtool", "test", "rules", test)
