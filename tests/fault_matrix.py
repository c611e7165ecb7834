"""The fault matrix: nothing is lost, left over or made twice, whatever happens to any call, and whenever the process dies.

For each journey, and each call that it makes: every peril in turn, then the same journey once more without one. The world must
then hold exactly what it holds when nothing ever goes wrong. A side of the launch (`tests/fly/journeys.py`,
`tests/appstore/journeys.py`) brings its journeys; their functions are at the top level of modules, since other processes run them.
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

from harness.driver import Stack
from harness.inprocess import copy_of, lead_to, new_world
from providers.errors import ProviderError, Unexpected
from rehearsal.cloud.world import World
from tests.faults import PERILS, Killed, Peril, Perilous

Before: TypeAlias = Callable[[World, dict[str, Any]], Stack]


@dataclass(frozen=True)
class Journey:
    """One thing that is done to a stack. All calls of `go` are struck in turn; those of `before` are not."""

    name: str
    before: Before
    """Prepares the world, with these settings; the stack as it stands before. Called once, and its outcome copied."""
    go: Callable[[Any], None]
    """What is done to that stack. Repeated after each peril, so it has to be something that can be wanted twice: an `up`."""
    held: Callable[[World], dict[str, Any]]
    """What the world holds, without ids and times: two worlds in which the same is true are equal."""


@dataclass
class Exploration:
    """What came of all points of all journeys."""

    lines: list[str] = field(default_factory=list)
    points: int = 0
    astray: dict[str, str] = field(default_factory=dict)
    """What is wrong, by point."""

    def __str__(self) -> str:
        return "\n".join([*self.lines, f"{self.points} points, {self.points - len(self.astray)} converged"])


def explore(journeys: Sequence[Journey], settings: dict[str, Any]) -> Exploration:
    """Every peril at every call of every journey."""
    found = Exploration()
    points: dict[str, Future[str]] = {}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        for journey in journeys:
            expected, calls = travel(settings, journey)
            for at, call in enumerate(calls):
                for peril in PERILS:
                    key = f"{journey.name}: {peril} at call {at}, {call}"
                    points[key] = processes.submit(_point, settings, journey, expected, peril, at)
            found.lines.append(f"{journey.name}: {len(calls)} calls, {len(PERILS)} perils each")
    found.points = len(points)
    found.astray = {key: point.result() for key, point in points.items() if point.result()}
    return found


def travel(
    settings: dict[str, Any], journey: Journey, peril: Peril | None = None, at: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """What the world holds after the journey, made once more if a peril strikes at its call `at`; and the calls of the first."""
    start = _start(journey.before, json.dumps(settings))
    world = copy_of(start[0])
    world.journal.is_kept = False
    stack = start[1].copy(world)
    try:
        with pytest.MonkeyPatch.context() as patch:
            first = Perilous(world, peril, at)
            _run(patch, world, first, lambda: journey.go(stack))
            if peril is not None:
                world.faults.clear()
                _run(patch, world, Perilous(world), lambda: journey.go(stack))
            return journey.held(world), first.calls
    finally:
        world.close()


def _point(settings: dict[str, Any], journey: Journey, expected: dict[str, Any], peril: Peril, at: int) -> str:
    """What is wrong after this peril; empty when the world is as expected."""
    try:
        found, calls = travel(settings, journey, peril, at)
    except Exception as error:  # noqa: BLE001 (told by the test, with all others)
        return f"{type(error).__name__}: {error}"
    if len(calls) <= at:
        return f"the peril never struck: only {len(calls)} calls were made"
    return "" if found == expected else f"{found} instead of {expected}"


@functools.cache
def _start(before: Before, settings: str) -> tuple[World, Stack]:
    """The world before a journey; made once in a process, and copied for each point."""
    given = json.loads(settings)
    world = new_world(given["ascPrivateKey"])
    with pytest.MonkeyPatch.context() as patch:
        lead_to(patch, world, Perilous(world))
        return world, before(world, given)


def _run(patch: pytest.MonkeyPatch, world: World, way: Perilous, do: Callable[[], None]) -> None:
    """One process, on its `way`: if it is to meet a peril there, it may fail, but for a defect, or die."""
    lead_to(patch, world, way)
    if way.peril is None:
        do()
        return
    try:
        with contextlib.suppress(Killed):
            do()
    except Unexpected:
        if not way.killed:
            raise
    except ProviderError:
        pass
