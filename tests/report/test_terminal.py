"""The checklist in a terminal: its width and its colours."""

import re

import pytest

from checklist.rows import examine
from report.terminal import lines
from tests.checklist import proven

FINDINGS = examine(proven.known({"installations": {"crashes": 1}}), {})


@pytest.mark.parametrize("width", [40, 80])
def test_lines_in_width(width: int) -> None:
    """Only a word that is wider is not broken, so that it can be copied whole."""
    shown = list(lines(FINDINGS, width=width))

    assert all(len(line) <= width or len(line.split()) == 1 for text in shown for line in text.split("\n"))
    assert " ".join("".join(f"{line} " for line in shown).split()) == " ".join(" ".join(lines(FINDINGS)).split())


def test_colors_only_added() -> None:
    colored = "\n".join(lines(FINDINGS, color=True))

    assert "\x1b[1;31mfailed\x1b[0m   No crash" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == "\n".join(lines(FINDINGS))
