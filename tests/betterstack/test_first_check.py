"""The first check of a monitor: `up` waits until Better Stack has seen the backend up."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.driver import Driven
from providers.betterstack.first_check import FirstCheckProvider
from providers.betterstack.monitor import MonitorProvider
from providers.errors import ProviderError
from rehearsal.cloud.betterstack import KIND
from rehearsal.cloud.world import World
from tests.betterstack.journeys import NAME, URL


@pytest.fixture
def monitor(world: World, configured: Callable[[Any], Any]) -> Driven:
    """As slow as the real one: checked for the first time after two minutes."""
    world.delays = replace(world.delays, uptime_check=120.0)
    driven = Driven(configured(MonitorProvider))
    driven.up(name=NAME, url=URL)
    return driven


@pytest.fixture
def check(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(FirstCheckProvider))


def set_status(world: World, status: str) -> None:
    (monitor,) = world.store.all(KIND)
    monitor["attributes"]["status"] = status
    world.store.put(KIND, f"{int(monitor['id']):09d}", monitor)


def test_waits_until_up(world: World, monitor: Driven, check: Driven) -> None:
    began = world.clock.now()

    outputs = check.up(monitor_id=monitor.id, url=URL, seconds=180)

    assert 120 <= world.clock.now() - began < 140
    assert outputs["seen_up_at"]


def test_once_per_monitor(monitor: Driven, check: Driven, world: World) -> None:
    """It asks again after a change, and not in an `up` without one."""
    check.up(monitor_id=monitor.id, url=URL, seconds=180)
    calls = len(world.journal.entries("betterstack"))
    check.up(monitor_id=monitor.id, url=URL, seconds=180)
    assert len(world.journal.entries("betterstack")) == calls

    check.up(monitor_id=monitor.id, url=URL, seconds=300)
    assert check.steps == ["create", "same", "update"]
    assert len(world.journal.entries("betterstack")) > calls


@pytest.mark.parametrize("status", ["down", "validating", "maintenance"])
def test_never_up(world: World, monitor: Driven, check: Driven, status: str) -> None:
    set_status(world, status)

    with pytest.raises(
        ProviderError, match=rf"has not seen {URL} up within 420 s: the monitor is {status}; open the monitor"
    ):
        check.up(monitor_id=monitor.id, url=URL, seconds=180)


def test_paused(world: World, monitor: Driven, check: Driven) -> None:
    """It would never be up, so there is nothing to wait for."""
    set_status(world, "paused")
    began = world.clock.now()

    with pytest.raises(ProviderError, match="the monitor is paused"):
        check.up(monitor_id=monitor.id, url=URL, seconds=180)

    assert world.clock.now() == began


def test_deleted_meanwhile(monitor: Driven, check: Driven) -> None:
    id = monitor.id
    monitor.destroy()

    with pytest.raises(ProviderError, match=f"monitor {id} of Better Stack does not exist; run `pulumi refresh`"):
        check.up(monitor_id=id, url=URL, seconds=180)
