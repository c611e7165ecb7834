"""Runs of a script against doubles in this process, each in a world of its own."""

import datetime as dt
import functools
from collections.abc import Collection
from dataclasses import replace

import httpx

from compare import evidence, run
from compare.recording import Recording
from compare.run import Outcome
from compare.side import Side, of_double
from compare.wire import Budget
from tests.compare.changes import Change, Changed

DATE = dt.date(2026, 11, 27)
BUDGET = Budget(600, 60.0)


def ran(side: Side, transport: httpx.BaseTransport | None = None, *, options: Collection[str] = ()) -> Outcome:
    """One run, as the command does it."""
    wire = side.wire(BUDGET, transport)
    assumed = evidence.assumed(side.script.vendor)
    return run.run(side.script, wire, source=side.source, date=DATE, options=options, assumed=assumed)


@functools.cache
def of_plain_double(vendor: str, options: tuple[str, ...] = ()) -> Recording:
    """The recording of the double as it is."""
    with of_double(vendor) as side:
        return complete(ran(side, options=options))


def of_changed_double(vendor: str, *changes: Change) -> Recording:
    """The recording of a changed double, as if it was the vendor's."""
    with of_double(vendor) as side:
        return replace(complete(ran(side, Changed(side.world, *changes))), source=side.script.title)


def complete(outcome: Outcome) -> Recording:
    assert (outcome.left, outcome.stopped) == ((), "")
    return outcome.recording
