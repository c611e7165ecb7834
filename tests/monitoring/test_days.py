"""Simulated days: exactly which alerts fire, when, and for how long. `make simulate-days` runs all of them, `make test` QUICK."""

from pathlib import Path

import pytest
import yaml

from components.monitoring.machines import FILES
from tests.monitoring.conftest import Run
from tests.monitoring.days import DAYS, Day
from tests.monitoring.tools import alerts
from tests.needs import needs

QUICK = ("a first launch", "three releases in half an hour", "a release that is rolled back", "Prometheus restarts")
"""What an `up` causes."""
by_name = pytest.mark.parametrize(
    "day", [pytest.param(day, id=day.name, marks=[] if day.name in QUICK else pytest.mark.simulation) for day in DAYS]
)


@needs("promtool")
@by_name
def test_day(run: Run, tmp_path: Path, day: Day) -> None:
    path = tmp_path / "day.yml"
    path.write_text(promtool_tests([day]))

    assert "SUCCESS" in run("promtool", "test", "rules", path)


@pytest.mark.parametrize("day", [day for day in DAYS if day.is_update], ids=lambda day: day.name)
def test_updates_page_nobody(day: Day) -> None:
    """Every alert that an update causes has the label by which `up` silences it."""
    silenced = {alert.name for alert in alerts() if "deploy" in alert.rule["labels"]}

    assert day.fires.keys() <= silenced


def test_every_alert_has_a_day() -> None:
    fired = {name for day in DAYS for name in day.fires}

    assert fired == {alert.name for alert in alerts()} - {"Watchdog"}


def promtool_tests(days: list[Day]) -> str:
    """A test file of promtool."""
    return yaml.safe_dump(
        {
            "rule_files": [f"{FILES}/rules/*.yml"],
            "evaluation_interval": "15s",
            "tests": [day.case() for day in days],
        }
    )
