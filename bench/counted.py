"""Calls counted in the doubles' journals, against the smallest set that could do it (`smallest.py`).

Looks while a vendor works are counted apart: how many there are depends on how long it takes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bench.smallest import Need


def tell(what: str, journal: Iterable[dict[str, Any]], smallest: Sequence[Need]) -> None:
    """The figure, and each kind of call of which there are more than needed."""
    calls = Counter(_kind(each) for each in journal)
    needed: Counter[str] = Counter()
    for need in smallest:
        needed[need.call] += need.times
    waits = {need.call for need in smallest if need.waits}
    looks = sum(number - needed[call] for call, number in calls.items() if call in waits and number > needed[call])
    total = calls.total() - looks
    ratio = f", {total / needed.total():.2f} times" if needed else ""
    print(
        f"  {what:<22}{total} calls, {needed.total()} could do it{ratio}; and {looks} looks while waiting", flush=True
    )
    for call, number in sorted(calls.items()):
        if call not in waits and number > needed[call]:
            print(f"      {number - needed[call]} more of {call}")
    for call, number in sorted(needed.items()):
        if calls[call] < number:
            print(f"      {number - calls[call]} fewer of {call}: the smallest set is not the smallest")


def _kind(entry: dict[str, Any]) -> str:
    path = re.sub(r"/(?!v\d+(?:/|$))[^/]*[-\d][^/]*", "/*", entry["path"])
    return f"{entry['service']} {entry['method']} {re.sub(r'(/[*])+$', '/*', path) if entry['service'] == 'storage' else path}"
