"""The column "Evidence" of the table of calls in `infra-docs/vendors/`: recorded on a date, public source, or assumed.

A call is `assumed` if something that we rely on has no public source, as its line says.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from compare.recording import DOUBLE, Recording

VENDORS = Path(__file__).resolve().parents[1] / "infra-docs" / "vendors"
SECTION = "## Every call"
ROW = re.compile(r"\| (?P<call>`[^`]+`|[^|]+?) \| (?P<evidence>[^|]+?) \| (?P<rest>.+) \|")
ASSUMED, PUBLIC = "assumed", "public source"
NO_SOURCE = re.compile(r"assumed|not known")


def page(vendor: str) -> Path:
    return VENDORS / f"{vendor}.md"


def assumed(vendor: str) -> set[str]:
    """The calls that are only assumed, with which a comparison begins."""
    rows = _rows(page(vendor).read_text(encoding="utf-8"))
    return {row["call"].strip("`") for row in rows if row["evidence"] == ASSUMED}


def rewritten(text: str, vendor: str, recordings: Iterable[Recording]) -> str:
    """The text of a page with the column as the recordings and the lines themselves say."""
    dates = {
        call: recording.date
        for recording in sorted(recordings, key=lambda recording: recording.date)
        if recording.vendor == vendor and recording.source != DOUBLE
        for call in recording.calls
    }
    for row in _rows(text):
        date = dates.get(row["call"].strip("`"))
        evidence = f"recorded on {date}" if date else ASSUMED if NO_SOURCE.search(row["rest"]) else PUBLIC
        text = text.replace(row[0], f"| {row['call']} | {evidence} | {row['rest']} |")
    return text


def _rows(text: str) -> Iterator["re.Match[str]"]:
    table = text.partition(SECTION)[2].splitlines()
    found = (ROW.fullmatch(line) for line in table if not re.match(r"\| (Call|---) ", line))
    yield from (row for row in found if row)
