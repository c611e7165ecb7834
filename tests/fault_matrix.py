"""The fault matrix: nothing is lost, left over or created twice, whichever call fails and whenever the process is killed.

For each journey and each of its calls: inject every kind of fault, then repeat the journey without one. The world must then be the
same as after a journey without faults. `tests/fly/journeys.py` and `tests/appstore/journeys.py` define the journeys; their functions
are at the top level of modules because other processes run them.
"""

import contextlib
import functools
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from harness.driver import DrivenStack
from harness.inprocess import copy_of, new_world, route_to
from providers.errors import ProviderError, Unexpected
from rehearsal.cloud.world import World
from tests.fault_transport import FAULT_KINDS, FaultKind, FaultTransport, Killed

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


@dataclass
class Exploration:
    """The results of all points."""

    lines: list[str] = field(default_factory=list)
    points: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """What is wrong, by point."""

    def __str__(self) -> str:
        return "\n".join([*self.lines, f"{self.points} points, {self.points - len(self.failures)} converged"])


def explore(journeys: Sequence[Journey], settings: dict[str, Any]) -> Exploration:
    """Run every fault at every call of every journey."""
    found = Exploration()
    points: dict[str, Future[str]] = {}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        for journey in journeys:
            expected, calls = run_journey(settings, journey)
            for at, call in enumerate(calls):
                for fault in FAULT_KINDS:
                    key = f"{journey.name}: {fault} at call {at}, {call}"
                    points[key] = processes.submit(_point, settings, journey, expected, fault, at)
            found.lines.append(f"{journey.name}: {len(calls)} calls, {len(FAULT_KINDS)} faults each")
    found.points = len(points)
    found.failures = {key: point.result() for key, point in points.items() if point.result()}
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


def _point(settings: dict[str, Any], journey: Journey, expected: dict[str, Any], fault: FaultKind, at: int) -> str:
    """What is wrong after this fault; empty if the world is as expected."""
    try:
        found, calls = run_journey(settings, journey, fault, at)
    except Exception as error:  # noqa: BLE001 (the test reports all failures together)
        return f"{type(error).__name__}: {error}"
    if len(calls) <= at:
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
