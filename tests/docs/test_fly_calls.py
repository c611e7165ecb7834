"""infra-docs/vendors/fly.md has one line for each call that the code can make."""

import re
from pathlib import Path

from tests import specification
from tests.docs import fly_calls
from tests.fly import description

PAGE = Path(__file__).resolve().parents[2] / "infra-docs" / "vendors" / "fly.md"
SOURCES = re.compile(r"https://|OpenAPI file|fly-go|flyctl|reports|assumed", re.IGNORECASE)
NOT_DESCRIBED = ("/api/v1/", "/prometheus/", "/v2/", "the token address")
"""Calls to other APIs than the Machines API."""


def lines() -> dict[str, tuple[str, str]]:
    """What a call relies on, and what happens otherwise, by call."""
    section = PAGE.read_text(encoding="utf-8").partition("## Every call")[2]
    rows = (line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `"))
    return {call.strip("`"): (relied_on, otherwise) for call, _, relied_on, otherwise in rows}


def test_a_line_for_each_call() -> None:
    assert lines().keys() == fly_calls.possible()


def test_lines_are_complete() -> None:
    """Each names a source, or says that it is assumed, and what happens otherwise."""
    assert [
        call for call, (evidence, otherwise) in lines().items() if not (SOURCES.search(evidence) and otherwise)
    ] == []


def test_calls_are_described() -> None:
    """By Fly's OpenAPI file, where that is available."""
    described = {re.sub(r"\{\w+\}", "{id}", each) for each in specification.load(description.NAME).operations}

    assert {
        each for each in fly_calls.possible() - described if not any(part in each for part in NOT_DESCRIBED)
    } == set()
