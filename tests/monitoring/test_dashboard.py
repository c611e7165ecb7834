"""The dashboard: a dashboard of Grafana, with valid queries, of exactly the series that the rules use."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from components.monitoring.machines import FILES
from tests.monitoring.conftest import Run
from tests.monitoring.tools import expressions, records
from tests.needs import needs

DASHBOARD: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
SCHEMAS = Path(__file__).parents[2] / ".tools" / "grafana"
"""Grafana's JSON schemas, which `make monitoring-tools` downloads."""
STRING = re.compile(r'"[^"]*"')
SERIES = re.compile(r"\b(?:probe|fly|litestream|app|alertmanager|prometheus|internal)[_:]\w[\w:]*")


def series(queries: list[str]) -> set[str]:
    return {name for query in queries for name in SERIES.findall(STRING.sub('""', query))}


def test_grafana_accepts_dashboard() -> None:
    assert problems("dashboard", DASHBOARD) == []


def test_grafana_accepts_queries() -> None:
    """The schema of a dashboard leaves them to the data source."""
    assert [
        problem for panel in PANELS for target in panel["targets"] for problem in problems("prometheus", target)
    ] == []


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": "39"},
        {"refreshh": "30s"},
        {"panels": [{"id": 1}]},
        {"panels": [{"type": "stat", "gridPos": {"x": 25}}]},
    ],
    ids=["type", "unknown-key", "without-type", "outside-of-grid"],
)
def test_schema_notices_mistake(change: dict[str, Any]) -> None:
    assert problems("dashboard", DASHBOARD | change)


def problems(name: str, document: dict[str, Any]) -> list[str]:
    """What Grafana's schema of that name says about the document; skips the test where the schema is not there."""
    path = SCHEMAS / f"{name}.jsonschema.json"
    if not path.exists():
        pytest.skip(f"NOT CHECKED against Grafana's schema: `make monitoring-tools` downloads {path.name}")
    validator = Draft7Validator(json.loads(path.read_text()))
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(document)]


@needs("promtool")
def test_every_query_parses(run: Run, tmp_path: Path) -> None:
    rules = [{"record": f"panel:query{number}", "expr": query} for number, query in enumerate(QUERIES)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    assert f"SUCCESS: {len(QUERIES)} rules found" in run("promtool", "check", "rules", path)


def test_series_are_those_of_rules() -> None:
    assert series(QUERIES) <= series(expressions())
    assert series(expressions()) - series(QUERIES) <= series(records())


def test_panels_do_not_overlap() -> None:
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
