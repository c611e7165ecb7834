"""The journeys of the resources of Better Stack in the fault matrix (`tests/fault_matrix.py`)."""

from typing import Any

from harness.driver import DrivenStack
from providers.betterstack.first_check import FirstCheckProvider
from providers.betterstack.monitor import MonitorProvider
from rehearsal.cloud.betterstack import KIND
from rehearsal.cloud.world import World
from tests.fault_matrix import Journey

NAME, URL = "solos-prod health, by Pulumi", "https://solos-prod.fly.dev/health"
OTHERS = ("solos-prod health", "by hand: solos-prod health, by Pulumi")
"""Monitors that people have made, with similar names."""


class Outside(DrivenStack):
    def up(self, url: str = URL) -> None:
        monitor = self.do("uptime", MonitorProvider, name=NAME, url=url)
        id = self.resources["uptime"].id
        self.do("seen", FirstCheckProvider, monitor_id=id, url=monitor["url"], seconds=monitor["seconds"])
        self.finish()


def nothing_yet(world: World, settings: dict[str, Any]) -> Outside:
    """Two monitors that are not ours."""
    for name in OTHERS:
        DrivenStack(settings).do(name, MonitorProvider, name=name, url=URL)
    return Outside(settings)


def declared(world: World, settings: dict[str, Any]) -> Outside:
    stack = nothing_yet(world, settings)
    stack.up()
    return stack


def left_behind(world: World, settings: dict[str, Any]) -> Outside:
    """The state of the stack is lost."""
    declared(world, settings)
    return Outside(settings)


def move(stack: Outside) -> None:
    """The app gets a hostname of its own."""
    stack.up("https://api.sollabs.example/health")


def held(world: World) -> dict[str, Any]:
    """The monitors, without ids."""
    return {
        monitor["attributes"]["pronounceable_name"]: monitor["attributes"]
        for monitor in sorted(world.store.all(KIND), key=lambda monitor: int(monitor["id"]))
    } | {"count": len(world.store.all(KIND))}


JOURNEYS = (
    Journey("uptime-check", nothing_yet, Outside.up, held),
    Journey("uptime-check-moved", declared, move, held),
    Journey("uptime-check-found", left_behind, Outside.up, held),
    Journey("uptime-check-destroyed", declared, Outside.destroy, held),
)
