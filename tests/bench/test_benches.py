"""The benchmarks that take seconds run, with minimal options; their results are not checked. Of the others, only functions are tested."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from bench import deploys, imports, polling, testers, uploads
from bench.floors import nodes
from bench.options import Options
from bench.paired import Paired, alternated
from harness.program import ROOT
from rehearsal.engine.display import Step

MINIMAL = Options(rounds=1, mib=(1,), testers=(1,))


def test_median_ratio() -> None:
    measured = Paired(ours=[2.0, 6.0, 5.0], theirs=[1.0, 2.0, 2.0])

    assert measured.ratio == 2.5
    assert str(measured) == "2.50 times (2.00 to 3.00 in 3 rounds; 5.00 s against 2.00 s)"


def test_alternating_order() -> None:
    order: list[str] = []

    alternated([lambda: order.append("ours"), lambda: order.append("theirs")], rounds=2)

    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_calls_counted(capsys: pytest.CaptureFixture[str]) -> None:
    testers.run(MINIMAL)
    polling.run(MINIMAL)

    printed = capsys.readouterr().out
    assert "adding 1 " in printed
    assert "60 minutes of waiting" in printed


def test_upload_measured(capsys: pytest.CaptureFixture[str]) -> None:
    uploads.run(MINIMAL)

    assert "1 MiB" in capsys.readouterr().out


def test_critical_path() -> None:
    urns = {name: f"urn:pulumi:test::solos::solos:{name}::{name}" for name in ("App", "Volume", "Machine", "Rollout")}
    resources: list[dict[str, Any]] = [
        {"urn": urns["App"]},
        {"urn": urns["Volume"], "dependencies": [urns["App"]]},
        {"urn": urns["Machine"], "propertyDependencies": {"volume_id": [urns["Volume"]]}},
        {"urn": urns["Rollout"], "dependencies": [urns["App"]]},
    ]
    steps = [
        Step("create", urns["App"], (), 1.0),
        Step("create", urns["Volume"], (), 0.5),
        Step("create", urns["Machine"], (), 2.0),
        Step("create", urns["Rollout"], (), 2.25),
        Step("delete", urns["App"], (), 0.25),
    ]

    seconds, names = deploys.critical_path(steps, resources)

    assert seconds == 3.75
    assert names == ["App 1.0 s", "Volume 0.5 s", "Machine 2.0 s"]


def test_floors_set_the_same_globals() -> None:
    """A collector that is off in the program only would make a ratio better, and nobody's preview faster by as much."""
    floor = globals_set(ROOT / "bench/empty/__main__.py")
    elsewhere = [path for folder in ("checklist", "components", "providers") for path in (ROOT / folder).rglob("*.py")]

    assert globals_set(ROOT / "__main__.py") == floor
    assert {"gc.freeze()", "pulumi.run(begin_registrations)"} <= set(floor)
    assert [path for path in elsewhere if re.search(r"\bgc\.|^import gc$", path.read_text(), re.MULTILINE)] == []


def globals_set(program: Path) -> list[str]:
    """The statements of a program that set something of the whole process."""
    body = ast.parse(program.read_text()).body
    statements = [ast.unparse(statement) for statement in body if isinstance(statement, ast.Expr | ast.Assign)]
    return [text for text in statements if re.match(r"(gc|os|signal|sys|threading)\.|pulumi\.run\(", text)]


def test_graph_of_a_launch() -> None:
    """Each node of F2 has the type, the parent and the dependencies of one in the launch; the engine makes the others."""
    resources: list[dict[str, Any]] = [
        {"urn": "s", "type": "pulumi:pulumi:Stack", "custom": False},
        {"urn": "x::backend", "type": "solos:index:Backend", "custom": False, "parent": "s"},
        {"urn": "x::app", "type": "pulumi-python:dynamic/fly:App", "custom": True, "parent": "x::backend"},
        {"urn": "x::build", "type": "command:local:Command", "custom": True, "parent": "s", "dependencies": ["x::app"]},
    ]

    graph = {node["name"]: node for node in nodes(resources)}

    assert [node["type"] for node in graph.values()] == ["component", "dynamic", "command:local:Command"]
    assert [node["parent"] for node in graph.values()] == [None, "x::backend", None]
    assert graph["build"]["dependencies"] == ["x::app"]


def test_imports_run() -> None:
    imports.load(imports.of_the_program())
    imports.load(imports.of_the_provider_process())
