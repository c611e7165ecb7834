"""infra-docs/ERRORS.md lists every text that the code fails with."""

import re
import string

import pytest

from documents.errors import PATH, Row, listed, render
from harness.program import ROOT


def test_document_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "infra-docs/ERRORS.md is out of date: run `make docs`"


def test_error_is_listed() -> None:
    row = next(row for row in listed() if row.message.startswith("bundle ID {identifier} is used by app"))

    assert row.remedy == "keep {identifier}, or launch {wanted} in a stack of its own"
    assert (row.what, row.module) == ("ProviderError", "providers.appstore.bundle_id")


def test_problem_is_listed() -> None:
    row = next(row for row in listed() if "is not a valid bundle ID" in row.message)

    assert row.what == "identifier"


def test_imported_text_is_listed_once() -> None:
    rows = list(listed())

    assert len(rows) == len(set(rows))


def test_braces_of_a_text_stay() -> None:
    """Only named values stand in angle brackets."""
    assert "write `path: ${DATABASE_PATH}` there" in render()


@pytest.mark.parametrize("row", sorted(set(listed())), ids=lambda row: row.message[:40])
def test_text_has_named_values(row: Row) -> None:
    """A template fills in by keyword, so an empty or numbered place would fail when the error is reported."""
    fields = [
        name
        for text in (row.message, row.remedy)
        for _, name, _, _ in string.Formatter().parse(text)
        if name is not None
    ]

    assert all(name.isidentifier() for name in fields)


def test_remedy_names_the_config_key() -> None:
    """An argument of a resource is not in a stack file: a remedy that asks for one says which config key sets it."""
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "providers").rglob("*.py"))
    arguments = {name for name in re.findall(r"^    (\w+): .*Input\[", sources, re.MULTILINE) if "_" in name}
    asked = re.compile(rf"\b(?:set|with|empty|restore) `?({'|'.join(sorted(arguments))})\b")

    without = [row.remedy for row in listed() if asked.search(row.remedy) and "config key" not in row.remedy]

    assert arguments
    assert without == []
