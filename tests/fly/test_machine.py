"""The machine: created healthy, updated in place, rolled back after a bad release, repaired after edits, never created twice."""

from dataclasses import replace
from typing import Any

import pytest

from harness.driver import Driven, Refused
from providers.errors import ProviderError
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import MEASURED_ONCE
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.fly.backend import machines_of
from tests.fly.conftest import CONFIG, Configured, push


def running(world: World) -> dict[str, Any]:
    """The only machine."""
    (found,) = [machine for machine in world.store.all("fly_machine") if machine["state"] != "destroyed"]
    return found


def with_env(arguments: dict[str, Any], **env: str) -> dict[str, Any]:
    return {**arguments, "config": {**CONFIG, "env": {**CONFIG["env"], **env}}}


def test_machine_passes_its_checks(machine: Driven, world: World) -> None:
    assert machine.outputs["state"] == "started"
    assert [check["status"] for check in running(world)["checks"]] == ["passing"]


def test_second_up_is_idempotent(machine: Driven, arguments: dict[str, Any]) -> None:
    machine.up(**arguments)

    assert machine.steps == ["create", "same"]


def test_refresh_without_drift(machine: Driven, arguments: dict[str, Any]) -> None:
    before = dict(machine.inputs)

    assert machine.refresh()

    assert machine.inputs == before
    assert not machine.diff(**arguments).changes


def test_env_change_updates_in_place(machine: Driven, arguments: dict[str, Any], world: World) -> None:
    id = machine.id
    response = machines_of(world).runtime.ask(id, 8080, "POST", "/notes", body=b'{"text": "kept"}')

    machine.up(**with_env(arguments, LOG_LEVEL="debug"))

    notes = machines_of(world).runtime.ask(id, 8080, "GET", "/notes")
    assert response.status == 201
    assert machine.id == id
    assert running(world)["config"]["env"]["LOG_LEVEL"] == "debug"
    assert b"kept" in notes.body


def test_new_secrets_update_machine(
    machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    secrets = Driven(configured(SecretsProvider))
    secrets.up(app="solos-prod", values={"SESSION_KEY": "one"})
    before = machine.outputs["instance_id"]

    machine.up(**arguments, secrets_version=secrets.outputs["version"])

    assert machine.outputs["instance_id"] != before
    assert running(world)["_secrets"] == {"SESSION_KEY": "one"}


@pytest.mark.parametrize("broken", ["unhealthy", "crash", "oom"])
def test_bad_release_is_rolled_back(machine: Driven, arguments: dict[str, Any], world: World, broken: str) -> None:
    good = machine.inputs["image"]

    with pytest.raises(ProviderError, match="Rolled back to the previous version"):
        machine.up(**{**arguments, "image": push(world, "1.0.1", broken=broken)})

    now = running(world)
    assert (now["config"]["image"], now["state"]) == (good, "started")
    assert (machine.outputs["image"], machine.outputs["instance_id"]) == (good, now["instance_id"])
    took = {name: machine.outputs[name] for name in MEASURED_ONCE}
    assert machine.outputs["verified_at"]
    assert took["downtime_seconds"] > 0
    assert not machine.diff(**arguments).changes
    machine.up(**arguments)
    assert {name: machine.outputs[name] for name in MEASURED_ONCE} == took
    assert running(world)["instance_id"] == now["instance_id"]
    machine.refresh()
    assert not machine.diff(**arguments).changes


def test_drift_is_repaired(machine: Driven, arguments: dict[str, Any], world: World) -> None:
    edited = running(world)
    edited["config"]["env"]["LOG_LEVEL"] = "silly"
    world.store.put("fly_machine", edited["id"], edited)

    machine.refresh()
    shown = machine.inputs["config"]["env"]["LOG_LEVEL"]
    machine.up(**arguments)

    assert shown == "silly"
    assert machine.steps[-1] == "update"
    assert running(world)["config"]["env"]["LOG_LEVEL"] == "info"


def test_machine_is_adopted(machine: Driven, arguments: dict[str, Any], configured: Configured) -> None:
    second = Driven(configured(MachineProvider))

    second.up(**arguments)

    assert second.id == machine.id


def test_machine_waits_for_its_volume(machine: Driven, arguments: dict[str, Any], world: World) -> None:
    """Fly keeps a volume attached for up to a minute after its machine was destroyed."""
    world.delays = replace(world.delays, volume_detach=60.0)
    before = machine.id

    machine.up(**{**arguments, "name": "renamed"})

    assert (machine.steps[-1], machine.id == before) == ("replace", False)
    assert running(world)["name"] == "renamed"


def test_full_host_is_reported(configured: Configured, arguments: dict[str, Any], world: World) -> None:
    """Fly answers 412, as for a volume that is still attached: waiting would not help."""
    body = {"error": "insufficient resources to create new machine with existing volume", "status": "unknown"}
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="machines$", status=412, body=body, times=99))
    began = world.clock.now()

    with pytest.raises(ProviderError, match="the volume's host is full"):
        Driven(configured(MachineProvider)).up(**arguments)

    assert world.clock.now() < began + 30


@pytest.mark.parametrize("change", [{"name": "renamed"}, {"region": "lax"}, {"volume_id": "vol_other"}])
def test_replacement_is_refused(machine: Driven, arguments: dict[str, Any], change: dict[str, str]) -> None:
    with pytest.raises(Refused, match="the app would be down"):
        machine.up(**{**arguments, **change, "replaceable": False})

    assert machine.steps == ["create"]


def test_lost_machine_is_replaced(
    machine: Driven, arguments: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its region is declared lost: a refresh forgets it, and it cannot come back."""
    lost = machine.id
    monkeypatch.setenv("FLY_LOST", "sjc")
    world.store.put(
        "fly_volume",
        "vol_in_lax",
        {**world.store.all("fly_volume")[0], "id": "vol_in_lax", "region": "lax", "attached_machine_id": None},
    )

    assert not machine.refresh()
    machine.up(**{**arguments, "region": "lax", "volume_id": "vol_in_lax"})

    assert (machine.id != lost, running(world)["region"]) == (True, "lax")


def test_restore_is_required(
    machine: Driven, arguments: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine in place of a lost one must not begin with an empty database, in whatever version, until the data is given up."""

    def is_required() -> bool:
        return "RESTORE_REQUIRED" in running(world)["config"]["env"]

    def release(level: str) -> None:
        env = {**arguments["config"]["env"], "LOG_LEVEL": level}
        machine.up(**{**arguments, "config": {**arguments["config"], "env": env}})

    assert not is_required()
    Driven(machine.provider, id=machine.id, outputs=machine.outputs).destroy()
    monkeypatch.setenv("FLY_LOST", machine.id)
    machine.refresh()
    release("info")
    assert is_required()

    monkeypatch.delenv("FLY_LOST")
    machine.refresh()
    release("info")
    assert machine.steps[-2:] == ["read", "same"]
    release("debug")
    assert is_required()

    monkeypatch.setenv("FLY_LOST", "sjc-is-not-it empty")
    release("warn")
    assert not is_required()


def test_destroyed_machine_leaves_volume(machine: Driven, world: World) -> None:
    destroyed = Driven(machine.provider, id=machine.id, outputs=machine.outputs)

    destroyed.destroy()

    assert machine.refresh() is False
    assert len(world.store.all("fly_volume")) == 1


@pytest.mark.parametrize("kind", ["refuse", "refuse_after", "lose_before", "lose_after", "hang"])
def test_creation_survives_faults(configured: Configured, arguments: dict[str, Any], world: World, kind: Kind) -> None:
    world.faults.arm(Fault(kind, service="fly", method="POST"))
    machine = Driven(configured(MachineProvider))
    try:
        machine.up(**arguments)
    except ProviderError:
        machine.up(**arguments)

    assert running(world)["id"] == machine.id


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"volume_id": None}, "volume_id is not set"),
        ({"config": {**CONFIG, "mounts": []}}, "is not mounted"),
        ({"image": "registry.fly.io/solserver:1.0.0"}, "has no digest"),
        ({"config": {**CONFIG, "guest": {"memory_mb": 100}}}, "memory"),
    ],
)
def test_bad_arguments_are_refused(
    configured: Configured, arguments: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Refused, match=problem):
        Driven(configured(MachineProvider)).up(**{**arguments, **changes})
