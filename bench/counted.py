"""Counts the calls in the journal of the doubles, and compares them to the minimum (`smallest.py`).

Polls while a vendor works are counted separately: their number depends on how long that takes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bench.smallest import Need


def report(what: str, journal: Iterable[dict[str, Any]], smallest: Sequence[Need]) -> None:
    """Print the totals, and each kind of call that exceeds the minimum."""
    calls = Counter(_kind(found) for found in journal)
    needed: Counter[str] = Counter()
    for need in smallest:
        needed[need.call] += need.times
    waits = {need.call for need in smallest if need.waits}
    polls = sum(number - needed[call] for call, number in calls.items() if call in waits and number > needed[call])
    total = calls.total() - polls
    ratio = f", {total / needed.total():.2f} times" if needed else ""
    print(f"  {what:<22}{total} calls, minimum {needed.total()}{ratio}; and {polls} polls", flush=True)
    for call, number in sorted(calls.items()):
        if call not in waits and number > needed[call]:
            print(f"      {number - needed[call]} more of {call}")
    for call, number in sorted(needed.items()):
        if calls[call] < number:
            print(f"      {number - calls[call]} fewer of {call}: the minimum in smallest.py is too high")


def _kind(entry: dict[str, Any]) -> str:
    # An id has a digit or a hyphen, but for a random `vol_…` or `vs_…` that happens to have none.
    path = re.sub(r"/(?!v\d+(?:/|$))(?:(?:vol|vs)_[^/]*|[^/]*[-\d][^/]*)", "/*", entry["path"])
    return f"{entry['service']} {entry['method']} {re.sub(r'(/[*])+$', '/*', path) if entry['service'] == 'storage' else path}"
