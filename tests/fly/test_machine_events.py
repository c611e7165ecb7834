"""Which exits of a machine are crashes: those that nobody requested, of the version that runs."""

from typing import Any

import pytest

from harness.driver import Driven
from providers.fly.api import logs, machine_states, machines
from providers.fly.api.client import Fly
from providers.fly.machine import MachineProvider
from rehearsal.cloud.world import World
from tests.fly.backend import at_fly, machines_of
from tests.fly.conftest import CONFIG, Configured, push

SIGTERM_LINE = "Main child exited with signal (with signal 'SIGTERM', core dumped? false)"
CODE_LINE = "Main child exited normally with code: 0"


@pytest.fixture(params=[True, False], ids=["handles-sigterm", "no-handler"])
def stoppable(
    request: pytest.FixtureRequest, configured: Configured, arguments: dict[str, Any], world: World
) -> Driven:
    """A machine that runs well, and what its process does on SIGTERM."""
    image = push(world, "1.0.0-stop", version="1.0.0", handles_sigterm=request.param)
    machine = Driven(configured(MachineProvider))
    machine.up(**{**arguments, "image": image})
    return machine


def changed(machine: Driven) -> dict[str, Any]:
    kept = {name: machine.outputs[name] for name in ("app", "name", "region", "image", "volume_id")}
    return {**kept, "config": {**CONFIG, "env": {**CONFIG["env"], "LOG_LEVEL": "debug"}}}


def lines(world: World) -> list[tuple[str, str]]:
    """Time and text of the log lines, oldest first."""
    kept = world.store.get("fly_logs", "solos-prod") or {"lines": []}
    return [(line["attributes"]["timestamp"], line["attributes"]["message"]) for line in kept["lines"]]


def events(world: World) -> list[tuple[str, str]]:
    """Type and status of the machine's events, oldest first."""
    return [(event["type"], event["status"]) for event in reversed(at_fly(world)["events"])]


def crashes(fly: Fly, id: str) -> list[str]:
    found = machines.look_up(fly, "solos-prod", id)
    return [*logs.crashes(found), *logs.crash_lines(fly, "solos-prod", found)]


def test_update_is_not_a_crash(stoppable: Driven, fly: Fly, world: World) -> None:
    """The previous process ends, with a line of Fly's init, between `launch` and `start` of the new version."""
    stoppable.up(**changed(stoppable))

    assert events(world)[-3:] == [("launch", "created"), ("exit", "stopped"), ("start", "started")]
    assert {SIGTERM_LINE, CODE_LINE} & {text for _, text in lines(world)}
    assert crashes(fly, stoppable.id) == []


def test_restart_is_not_a_crash(stoppable: Driven, fly: Fly, world: World) -> None:
    machine_states.restart(fly, "solos-prod", stoppable.id, seconds=120.0)

    order = [("restart", "stopping"), ("exit", "stopped"), ("restart", "starting"), ("start", "started")]
    assert events(world)[-4:] == order
    assert crashes(fly, stoppable.id) == []


def test_stop_is_not_a_crash(stoppable: Driven, fly: Fly, world: World) -> None:
    fly.call("POST", f"/apps/solos-prod/machines/{stoppable.id}/stop", doing="stop the machine")

    assert at_fly(world)["state"] == "stopped"
    assert events(world)[-2:] == [("stop", "stopping"), ("exit", "stopped")]
    assert crashes(fly, stoppable.id) == []


def test_destroy_is_logged(stoppable: Driven, world: World) -> None:
    stoppable.destroy()

    assert {SIGTERM_LINE, CODE_LINE} & {text for _, text in lines(world)}
    assert events(world)[-1] == ("destroy", "destroyed")


def test_rollback_survives_sigterm(stoppable: Driven, world: World) -> None:
    """Neither the version that fails nor the one that is put back is judged by the other's end."""
    before, bad = stoppable.outputs["image"], push(world, "1.0.1", broken="unhealthy", handles_sigterm=False)

    with pytest.raises(Exception, match="Rolled back to the previous version"):
        stoppable.up(**{**changed(stoppable), "image": bad, "healthy_seconds": 5.0})

    assert at_fly(world)["config"]["image"] == before


def test_crash_after_restart_counts(stoppable: Driven, fly: Fly, world: World) -> None:
    machine_states.restart(fly, "solos-prod", stoppable.id, seconds=120.0)
    machines_of(world).runtime.kill(stoppable.id, 139, oom=False)
    world.clock.sleep(1)

    assert crashes(fly, stoppable.id) == ["exit code 139"]
