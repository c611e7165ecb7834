"""What is done to the backend in the fault matrix, and one point of it: a journey, a peril, and the journey once more."""

import contextlib
import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from providers.errors import ProviderError, Unexpected
from providers.fly.verification import NotHealthy
from rehearsal.cloud.world import World
from tests.fly.backend import RELEASES, Backend, add_note, held
from tests.fly.conftest import push
from tests.fly.peril import Killed, Peril, Perilous
from tests.inprocess import copy_of, lead_to, new_world

Journey = Callable[[Backend], None]


def roll_back(backend: Backend) -> None:
    """An `up` that is expected to fail, and to say so."""
    try:
        backend.up(tag="1.0.2")
    except NotHealthy as error:
        if "The version of before runs again" not in str(error):
            raise
    else:
        raise AssertionError("a bad release was taken for a good one")


JOURNEYS: dict[str, tuple[bool, Journey]] = {
    "creating the backend": (False, lambda backend: backend.up()),
    "releasing a new version": (True, lambda backend: backend.up(tag="1.0.1", LOG_LEVEL="debug")),
    "putting a bad release back": (True, roll_back),
    "changing a secret": (True, lambda backend: backend.up(secrets={"SESSION_KEY": "two"})),
    "destroying the backend": (True, Backend.destroy),
}
"""Whether the backend stands already, with a user's row in its database, and what is then done."""


def travel(
    settings: dict[str, Any], name: str, peril: Peril | None = None, at: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """What the world holds after the journey, made once more if a peril strikes at its call `at`; and the calls of the first."""
    stands, journey = JOURNEYS[name]
    start = _start(json.dumps(settings), stands)
    world, backend = copy_of(start[0]), start[1].copy()
    try:
        with pytest.MonkeyPatch.context() as patch:
            first = Perilous(world, peril, at)
            _run(patch, world, lambda: journey(backend), first)
            if peril is not None:
                world.faults.clear()
                _run(patch, world, lambda: journey(backend))
            return held(world), first.calls
    finally:
        world.close()


def point(settings: dict[str, Any], name: str, expected: dict[str, Any], peril: Peril, at: int) -> str:
    """What is wrong after this peril; empty when the world is as expected."""
    try:
        found, calls = travel(settings, name, peril, at)
    except Exception as error:  # noqa: BLE001 (told by the test, with all others)
        return f"{type(error).__name__}: {error}"
    if len(calls) <= at:
        return f"the peril never struck: only {len(calls)} calls were made"
    return "" if found == expected else str(found)


@functools.cache
def _start(settings: str, stands: bool) -> tuple[World, Backend]:
    """The world before a journey; made once in a process, and copied for each."""
    world, backend = new_world(), Backend(json.loads(settings))
    with pytest.MonkeyPatch.context() as patch:
        for tag, broken in RELEASES.items():
            push(world, tag, broken=broken)
        if stands:
            _run(patch, world, backend.up)
            add_note(world, "a user's row")
    return world, backend


def _run(patch: pytest.MonkeyPatch, world: World, do: Callable[[], None], way: Perilous | None = None) -> None:
    """One process, on its `way` if it is to meet a peril: then it may fail, but for a defect, or die."""
    lead_to(patch, world, way or Perilous(world))
    if way is None or way.peril is None:
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
