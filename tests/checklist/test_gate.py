"""What keeps a launch from being declared, and what a waiver changes about that."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from checklist.operations import alerting, logging, monitoring
from checklist.row import State
from checklist.rows import ROWS, examine, verdict, waiver_problem
from providers.checks.launch_record import HEALTHY
from tests.checklist import proven
from tests.checklist.proven import known, without_monitor

README = Path(__file__).resolve().parents[2] / "README.md"
WAIVER = {"reason": "watched by hand on launch day", "by": "Mara"}


def test_red_rows_block() -> None:
    """A profile that Apple invalidated, and logs that nothing keeps: the gate once passed while the report showed both rows red."""
    findings = examine(known({"logs": {"config": {}}, "profile": {"profile_state": "INVALID"}}), {})

    assert [finding.row.key for finding in findings if finding.blocks] == ["logging", "signing"]
    assert [finding.row.key for finding in findings if not finding.holds] == ["logging", "signing"]
    assert verdict(findings) == f"{len(ROWS) - 2} of {len(ROWS)} rows proven, 1 failed, 1 open"


def test_all_but_the_declaration_block() -> None:
    assert [row.key for row in ROWS if not row.blocks] == ["launched"]


def test_undeclared_launch_does_not_block() -> None:
    findings = examine(known({"record": None}), {})

    assert not any(finding.blocks for finding in findings)
    assert verdict(findings) == f"{len(ROWS) - 1} of {len(ROWS)} rows proven, 1 open"


def test_waiver_hides_nothing() -> None:
    """A waived row keeps its key and tells its reason, by whom it was waived, and what is not proven."""
    findings = examine(known(without_monitor()), {"monitoring": WAIVER})
    found = next(finding for finding in findings if finding.row.key == "monitoring")

    assert (found.state, found.holds, found.blocks) == (State.WAIVED, True, False)
    assert found.summary == "waived by Mara: watched by hand on launch day; not proven: monitoring is not configured"
    assert found.problem == "monitoring is not configured: set `monitoring`"
    assert verdict(findings) == f"{len(ROWS) - 3} of {len(ROWS)} rows proven, 2 open, 1 waived"


def test_waiver_until_a_day() -> None:
    """It ends on that day."""
    sessions, day = {"installations": {"sessions": 0}}, proven.NOW.date()
    until = {name: {**WAIVER, "until": str(day + timedelta(days))} for name, days in (("today", 0), ("tomorrow", 1))}

    ended, valid = (
        next(
            finding
            for finding in examine(known(sessions), {"no-crashes": until[name]})
            if finding.row.key == "no-crashes"
        )
        for name in ("today", "tomorrow")
    )

    assert (ended.state, ended.waits_for, ended.blocks) == (State.WAITING, "Apple", True)
    assert (valid.state, valid.until, valid.blocks) == (State.WAIVED, "2026-11-28", False)


def test_waiver_of_a_proven_row() -> None:
    """It changes nothing: the row is proven."""
    found = next(finding for finding in examine(known(), {"app": WAIVER}) if finding.row.key == "app")

    assert (found.state, found.reason) == (State.OK, "")


def test_declaration_cannot_be_waived() -> None:
    found = next(
        finding for finding in examine(known({"record": None}), {"launched": WAIVER}) if finding.row.key == "launched"
    )

    assert found.state is State.WAITING


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("monitoring", ""),
        ("montoring", "is not a row of the checklist; those that can be waived are app, machine, "),
        ("launched", "cannot be waived: it does not block a launch"),
    ],
)
def test_waiver_problem(key: str, problem: str) -> None:
    assert waiver_problem(key).startswith(problem)
    assert bool(waiver_problem(key)) == bool(problem)


def test_record_adds_to_row() -> None:
    """The record looks at the backend once more, under the key of this row, so that one waiver covers both."""
    assert HEALTHY in {row.key for row in ROWS if row.blocks}


def test_count_in_readme() -> None:
    """With the programs of the monitor, and without them: then a rehearsal waives the rows that need them."""
    every, of_monitor = len(ROWS), len((logging, monitoring, alerting))

    counts = re.findall(r"(\d+) of (\d+) rows proven", README.read_text(encoding="utf-8"))

    assert counts == [(str(every), str(every)), (str(every - of_monitor), str(every))]
