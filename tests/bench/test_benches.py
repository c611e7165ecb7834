"""Each benchmark runs, with minimal options. Its results are not checked."""

from typing import Any

import pytest

from bench import deploys, imports, polling, testers, uploads
from bench.options import Options
from bench.paired import Paired, paired
from rehearsal.engine.display import Step

MINIMAL = Options(rounds=1, mib=(1,), testers=(1,))


def test_median_ratio() -> None:
    measured = Paired(ours=[2.0, 6.0, 5.0], theirs=[1.0, 2.0, 2.0])

    assert measured.ratio == 2.5
    assert str(measured) == "2.50 times (2.00 to 3.00 in 3 rounds; 5.00 s against 2.00 s)"


def test_alternating_order() -> None:
    order: list[str] = []

    paired(lambda: order.append("ours"), lambda: order.append("theirs"), rounds=2)

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


def test_imports_run() -> None:
    imports.load(imports.of_the_program())
    imports.load(imports.of_the_provider_process())
