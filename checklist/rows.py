"""All rows in the order of PR #42, and their evaluation as a whole."""

from collections.abc import Mapping, Sequence

from checklist import backend, ios_build, launch, operations, testflight
from checklist.known import Known
from checklist.row import Finding, Row, State, evaluate

ROWS: Sequence[Row] = (*backend.ROWS, *operations.ROWS, *ios_build.ROWS, *testflight.ROWS, *launch.ROWS)

Waivers = Mapping[str, Mapping[str, str]]
"""`{reason, by, until?}` by key of the row: `waivers` and the stack output `waivers`."""


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
    """How many rows are proven, open and waived: `7 of 9 rows proven, 2 waived`."""
    waived = sum(finding.state is State.WAIVED for finding in findings)
    open_ = sum(not finding.holds for finding in findings)
    proven = len(findings) - waived - open_
    parts = [f"{proven} of {len(findings)} rows proven"]
    parts += [f"{open_} open"] if open_ else []
    parts += [f"{waived} waived"] if waived else []
    return ", ".join(parts)
