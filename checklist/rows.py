"""All rows in the order of PR #42, and their evaluation as a whole."""

from collections import Counter
from collections.abc import Mapping, Sequence

from checklist import backend, ios_build, launch, operations, testflight
from checklist.known import Known
from checklist.row import Finding, Row, State, evaluate

ROWS: Sequence[Row] = (*backend.ROWS, *operations.ROWS, *ios_build.ROWS, *testflight.ROWS, *launch.ROWS)

Waivers = Mapping[str, Mapping[str, str]]
"""`{reason, by, until?}` by key of the row: `waivers` of the settings, and of the stack output `reportInput`."""


def examine(known: Known, waivers: Waivers) -> list[Finding]:
    """The finding of every row."""
    return [evaluate(row, known, waivers.get(row.key)) for row in ROWS]


def waiver_problem(key: str) -> str:
    """Why a row of this key cannot be waived; empty when it can."""
    rows = {row.key: row for row in ROWS}
    if key not in rows:
        return f"is not a row of the checklist; those that can be waived are {', '.join(row.key for row in ROWS if row.blocks)}"
    return "" if rows[key].blocks else "cannot be waived: it does not block a launch"


def verdict(findings: Sequence[Finding]) -> str:
    """How many rows are proven, failed, open and waived: `7 of 9 rows proven, 2 waived`."""
    counts = Counter(finding.state for finding in findings)
    others = [
        (counts[State.FAILED], "failed"),
        (counts[State.MISSING] + counts[State.WAITING], "open"),
        (counts[State.WAIVED], "waived"),
    ]
    parts = [f"{count} {what}" for count, what in others if count]
    return ", ".join([f"{counts[State.OK]} of {len(findings)} rows proven", *parts])
