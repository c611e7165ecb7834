"""Files with the shapes of public fly.toml files, and the machine config that flyctl's own code renders from each (decision 8).

The files were written for this test. `corpus/expected.json` has what flyctl renders, and for a file that is refused here its
problems; `unused` are the lines that have no effect, which a preview lists.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from providers.fly.appconfig import load
from providers.fly.safe_update.machine_config import differences

CORPUS = Path(__file__).parent / "corpus"
EXPECTED: dict[str, Any] = json.loads((CORPUS / "expected.json").read_text())
ACCEPTED = {name: expected for name, expected in EXPECTED.items() if "config" in expected}
REFUSED = {name: expected["refused"] for name, expected in EXPECTED.items() if "refused" in expected}


def line(key: str) -> int:
    """12 of `fly.toml:12`."""
    return int(key.rpartition(":")[2])


def test_corpus_is_large_enough() -> None:
    assert {path.stem for path in CORPUS.glob("*.toml")} == EXPECTED.keys()
    assert len(EXPECTED) >= 40
    assert len(REFUSED) <= 6


@pytest.mark.parametrize("name", ACCEPTED)
def test_renders_like_flyctl(name: str) -> None:
    expected = ACCEPTED[name]

    read = load(CORPUS / f"{name}.toml")

    assert read.problems == ()
    ours, theirs = [read.config], [expected["config"]]
    if "release" in expected:
        theirs.append(expected["release"])
    if read.release:
        ours.append(read.release.config)
    assert len(ours) == len(theirs)
    for item, other in zip(ours, theirs, strict=True):
        assert differences(item, other) == differences(other, item) == []
    assert [line(warning.key) for warning in read.warnings] == expected.get("unused", [])


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_line(name: str) -> None:
    problems = load(CORPUS / f"{name}.toml").problems

    assert [f"{line(problem.key)}: {problem.message}" for problem in problems] == REFUSED[name]
