"""Simulated days: exactly which alerts fire, when, and for how long. `make monitoring-mutants` runs all of them."""

from pathlib import Path

import pytest
import yaml

from components.monitoring.machines import FILES
from tests.monitoring.conftest import Run
from tests.monitoring.days import DAYS, Day
from tests.monitoring.tools import alerts
from tests.needs import needs

QUICK = ("a first launch", "three releases in half an hour", "a release that is rolled back", "Prometheus restarts")


@needs("promtool")
def test_quick_days(run: Run, tmp_path: Path) -> None:
    """Those that an `up` causes, in one process."""
    path = tmp_path / "days.yml"
    path.write_text(promtool_tests([day for day in DAYS if day.name in QUICK]))

    assert "SUCCESS" in run("promtool", "test", "rules", path)


@pytest.mark.parametrize("day", [day for day in DAYS if day.is_update], ids=lambda day: day.name)
def test_updates_page_nobody(day: Day) -> None:
    """Every alert that an update causes has the label by which `up` silences it."""
    silenced = {alert.name for alert in alerts() if "deploy" in alert.rule["labels"]}

    assert day.fires.keys() <= silenced


def promtool_tests(days: list[Day]) -> str:
    """A test file of promtool."""
    return yaml.safe_dump(
        {
            "rule_files": [f"{FILES}/rules/*.yml"],
            "evaluation_interval": "15s",
            "tests": [day.case() for day in days],
        }
    )
