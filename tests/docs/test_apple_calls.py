"""infra-docs/vendors/appstore.md has one line for each call that the code can make."""

import re
from pathlib import Path

from tests import specification
from tests.appstore import description
from tests.docs import apple_calls

PAGE = Path(__file__).resolve().parents[2] / "infra-docs" / "vendors" / "appstore.md"


def lines() -> dict[str, tuple[str, str]]:
    """Evidence and consequence, by call."""
    section = PAGE.read_text(encoding="utf-8").partition("## Every call")[2]
    rows = (line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| "))
    found = {row[0].strip(): (row[2].strip(), row[3].strip()) for row in rows if len(row) == 4}
    return {re.sub(r"^`(.*/v1/.*)`$", r"\1", call): about for call, about in found.items() if call != "Call"}


def test_a_line_for_each_call() -> None:
    assert lines().keys() - {"---"} == apple_calls.possible()


def test_lines_are_complete() -> None:
    """Each says what it rests on, or that this is assumed, and what happens if it is otherwise."""
    sources = r"https://|OpenAPI file|reports?\b|record|assumed|as (above|the POST)|not known"

    incomplete = [
        call
        for call, (evidence, otherwise) in lines().items()
        if call != "---" and not (re.search(sources, evidence) and otherwise)
    ]

    assert incomplete == []


def test_calls_are_described() -> None:
    """By Apple's OpenAPI file, where that is available."""
    described = specification.load(description.NAME).operations

    assert apple_calls.possible() - {apple_calls.STORAGE} - described == set()
