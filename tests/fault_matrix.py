"""The fault matrix: nothing is lost, left over or created twice, whichever call fails and whenever the process is killed.

For each journey and each of its calls: inject every kind of fault, then repeat the journey without one. The world must then be the
same as after a journey without faults. `tests/fly/journeys.py` and `tests/appstore/journeys.py` define the journeys.

Left out are points that equal another one: a fault after a read, which equals the fault before it, because a read changes nothing; and
faults at a read that repeats the two calls before it: the later ones of a poll.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from harness.driver import DrivenStack
from harness.inprocess import copy_of, new_world, route_to
from providers.errors import ProviderError, Unexpected
from rehearsal.cloud.world import World
from tests.fault_transport import FAULT_KINDS, FaultKind, FaultTransport, Killed

PARTS = 4
"""Tests per journey."""

Before: TypeAlias = Callable[[World, dict[str, Any]], DrivenStack]


@dataclass(frozen=True)
class Journey:
    """An operation on a stack. Faults are injected into the calls of `go`, not of `before`."""

    name: str
    before: Before
    """Prepares the world with these settings, and returns the stack. Called once; the result is copied."""
    go: Callable[[Any], None]
    """The operation. It is repeated after a fault, so it must be idempotent, like an `up`."""
    held: Callable[[World], dict[str, Any]]
    """What the world contains, without ids and times, to compare two worlds."""


@dataclass(frozen=True)
class Point:
    """A fault at a call of a journey."""

    at: int
    """The number of the call, from 0."""
    call: str
    fault: FaultKind

    def __str__(self) -> str:
        return f"{self.fault} at call {self.at}, {self.call}"


def in_parts(journeys: Sequence[Journey]) -> pytest.MarkDecorator:
    """Each journey in several tests, which can run at the same time: arguments `journey` and `part`."""
    cases = [pytest.param(journey, part, id=f"{journey.name}-{part}") for journey in journeys for part in range(PARTS)]
    return pytest.mark.parametrize(("journey", "part"), cases)


def failures(settings: dict[str, Any], journey: Journey, part: int) -> dict[str, str]:
    """What is wrong after each fault of this part, by point; empty where nothing is."""
    expected, calls = run_journey(settings, journey)
    return {str(point): _fault(settings, journey, expected, point) for point in points(calls)[part::PARTS]}


def points(calls: list[str]) -> list[Point]:
    """Every fault at every call, without points that equal another one."""
    found = []
    for at, call in enumerate(calls):
        is_read = call.startswith("GET ")
        if is_read and [call, call] == calls[max(at - 2, 0) : at]:
            continue
        found += [Point(at, call, fault) for fault in FAULT_KINDS if not (is_read and fault.endswith("_after"))]
    return found


def run_journey(
    settings: dict[str, Any], journey: Journey, fault: FaultKind | None = None, at: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """Run a journey with a fault at call `at`, and then again without; or once, if there is no fault.

    Returns what the world contains then, and the calls of the first run."""
    world, stack = start_of(settings, journey)
    try:
        with pytest.MonkeyPatch.context() as patch:
            first = FaultTransport(world, fault, at)
            _run(patch, world, first, lambda: journey.go(stack))
            if fault is not None:
                world.faults.clear()
                _run(patch, world, FaultTransport(world), lambda: journey.go(stack))
            return journey.held(world), first.calls
    finally:
        world.close()


def start_of(settings: dict[str, Any], journey: Journey) -> tuple[World, DrivenStack]:
    """The world and the stack before a journey. The caller closes the world."""
    start = _start(journey.before, json.dumps(settings))
    world = copy_of(start[0])
    world.journal.is_kept = False
    return world, start[1].copy(world)


def _fault(settings: dict[str, Any], journey: Journey, expected: dict[str, Any], point: Point) -> str:
    """What is wrong after this fault; empty if the world is as expected."""
    try:
        found, calls = run_journey(settings, journey, point.fault, point.at)
    except Exception as error:  # noqa: BLE001 (the test reports all failures together)
        return f"{type(error).__name__}: {error}"
    if len(calls) <= point.at:
        return f"the fault did not happen: only {len(calls)} calls were made"
    return "" if found == expected else f"{found} instead of {expected}"


@functools.cache
def _start(before: Before, settings: str) -> tuple[World, DrivenStack]:
    """The world before a journey: created once per process, and copied for each point."""
    given = json.loads(settings)
    world = new_world(given["ascPrivateKey"])
    with pytest.MonkeyPatch.context() as patch:
        route_to(patch, world, FaultTransport(world))
        return world, before(world, given)


def _run(patch: pytest.MonkeyPatch, world: World, transport: FaultTransport, do: Callable[[], None]) -> None:
    """One process. With a fault it may be killed, or fail with an error that is not a bug."""
    route_to(patch, world, transport)
    if transport.fault is None:
        do()
        return
    try:
        with contextlib.suppress(Killed):
            do()
    except Unexpected:
        if not transport.killed:
            raise
    except ProviderError:
        pass
