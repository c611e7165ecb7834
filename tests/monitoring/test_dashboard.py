"""The dashboard: valid queries, of exactly the series that the rules use."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from components.monitoring.machines import FILES
from tests.monitoring.conftest import Run
from tests.monitoring.tools import expressions, records
from tests.needs import needs

DASHBOARD: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
STRING = re.compile(r'"[^"]*"')
SERIES = re.compile(r"\b(?:probe|fly|litestream|app|alertmanager|prometheus|internal)[_:]\w[\w:]*")


def series(queries: list[str]) -> set[str]:
    return {name for query in queries for name in SERIES.findall(STRING.sub('""', query))}


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
