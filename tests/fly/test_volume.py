"""The volume: created once, grown in place, never shrunk, repaired in place, followed when Fly moves it, never lost by accident."""

import sqlite3
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.errors import ProviderError, TimedOut
from providers.fly.api import volumes
from providers.fly.api.client import Fly
from providers.fly.machine import MachineProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.backend import add_note, living, machines_of
from tests.fly.conftest import CONFIG, Configured

VOLUME = {"app": "solos-prod", "name": "solos_data", "region": "sjc", "size_gb": 10}


@pytest.fixture
def volume(app: Driven, configured: Configured) -> Driven:
    volume = Driven(configured(VolumeProvider))
    volume.up(**VOLUME)
    return volume


def adopted(configured: Configured, **changes: Any) -> Driven:
    """The volume of a running machine, as a resource."""
    volume = Driven(configured(VolumeProvider))
    volume.up(**{**VOLUME, "size_gb": 1, **changes})
    return volume


def restarts(world: World) -> int:
    return sum(call["path"].endswith("/restart") for call in world.journal.entries("fly"))


def notes(world: World, volume_id: str) -> list[str]:
    (database,) = machines_of(world).disks.volume(volume_id).glob("*.db")
    connection = sqlite3.connect(database)
    try:
        return [text for (text,) in connection.execute("SELECT text FROM notes")]
    finally:
        connection.close()


def test_volume_defaults_and_placement(app: Driven, configured: Configured, world: World) -> None:
    Driven(configured(VolumeProvider)).up(**VOLUME, guest={"cpus": 1, "memory_mb": 512}, image="an@image")

    (made,) = world.store.all("fly_volume")
    (sent,) = (
        call["request"]
        for call in world.journal.entries("fly")
        if call["path"].endswith("/volumes") and call["request"]
    )
    assert (made["encrypted"], made["auto_backup_enabled"], made["snapshot_retention"]) == (True, True, 5)
    assert (sent["compute"], sent["compute_image"]) == ({"cpus": 1, "memory_mb": 512}, "an@image")


def test_usable_volume_needs_no_polling(app: Driven, configured: Configured, world: World) -> None:
    before = len(world.journal.entries("fly"))

    Driven(configured(VolumeProvider)).up(**VOLUME)

    made = [f"{entry['method']} {entry['path']}" for entry in world.journal.entries("fly")[before:]]
    path = "/v1/apps/solos-prod/volumes"
    assert made == [f"GET {path}", f"POST {path}", f"GET {path}"]


def test_volume_is_adopted(volume: Driven, configured: Configured, world: World) -> None:
    second = Driven(configured(VolumeProvider))

    second.up(**{**VOLUME, "size_gb": 20, "snapshot_retention": 14, "scheduled_snapshots": False})

    (only,) = world.store.all("fly_volume")
    assert second.id == volume.id == only["id"]
    assert (only["size_gb"], only["snapshot_retention"], only["auto_backup_enabled"]) == (20, 14, False)


def test_ambiguous_name_is_refused(volume: Driven, configured: Configured, world: World) -> None:
    twin = {**world.store.all("fly_volume")[0], "id": "vol_twin"}
    world.store.put("fly_volume", "vol_twin", twin)

    with pytest.raises(ProviderError, match=r"has 2 volumes solos_data in sjc: .*; delete or rename all but the one"):
        Driven(configured(VolumeProvider)).up(**VOLUME)


def test_other_encryption_is_refused(volume: Driven, configured: Configured) -> None:
    with pytest.raises(ProviderError, match="exists already and its `encrypted` is true; set encrypted to true"):
        Driven(configured(VolumeProvider)).up(**VOLUME, encrypted=False)


def test_volume_grows_in_place(volume: Driven) -> None:
    before = volume.id

    volume.up(**{**VOLUME, "size_gb": 20})

    assert (volume.id, volume.outputs["size_gb"], volume.steps[-1]) == (before, 20, "update")


def test_growing_restarts_machine(machine: Driven, configured: Configured, world: World) -> None:
    volume = adopted(configured)

    volume.up(**{**VOLUME, "size_gb": 2})

    assert restarts(world) == 1
    assert living(world, "fly_machine")[0]["_lease"] is None


@pytest.mark.parametrize(("seconds", "is_healthy"), [(600.0, True), (60.0, False)])
def test_restart_within_budget(
    machine: Driven, configured: Configured, world: World, *, seconds: float, is_healthy: bool
) -> None:
    """A restart has the budget of a deployment, also for an application that starts slowly."""
    volume = adopted(configured)
    world.delays = replace(world.delays, machine_start=200.0)
    began = world.clock.now()

    with nullcontext() if is_healthy else pytest.raises(TimedOut):
        volume.up(**{**VOLUME, "size_gb": 2, "healthy_seconds": seconds})

    assert is_healthy or world.clock.now() < began + seconds + 10
    assert volume.diff(**{**VOLUME, "size_gb": 2, "healthy_seconds": 9.0}).changes is not is_healthy


@pytest.mark.parametrize("status", ["unreachable", "unknown"])
def test_unreachable_volume_is_left(
    machine: Driven, configured: Configured, world: World, said: list[str], status: str
) -> None:
    """Refresh shows the status of its host; up and destroy refuse, and write nothing."""
    volume = adopted(configured)
    control(world, "POST", "/fly/hosts", {"machine": machine.id, "status": status})
    before = len(world.journal.entries("fly"))

    volume.refresh()
    unchanged = volume.diff(**{**VOLUME, "size_gb": 1})
    with pytest.raises(ProviderError, match=f"reports as {status}: nothing was changed"):
        volume.up(**{**VOLUME, "size_gb": 2})
    with pytest.raises(ProviderError, match=f"reports as {status}: nothing was changed"):
        adopted(configured)
    with pytest.raises(ProviderError, match=f"reports as {status}: it was not deleted"):
        volume.destroy()

    assert not unchanged.changes
    assert [f"on a host that Fly reports as {status}" in line for line in said].count(True) == 1
    assert volume.outputs["host_status"] == status
    assert {entry["method"] for entry in world.journal.entries("fly")[before:]} == {"GET"}


def test_unneeded_restart_is_skipped(volume: Driven, world: World) -> None:
    volume.up(**{**VOLUME, "size_gb": 20})

    assert restarts(world) == 0


def test_interrupted_restart_is_repeated(machine: Driven, configured: Configured, world: World) -> None:
    volume = adopted(configured)
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="/lease$", status=422))
    with pytest.raises(ProviderError):
        volume.up(**{**VOLUME, "size_gb": 2})

    volume.up(**{**VOLUME, "size_gb": 2})

    assert restarts(world) == 1
    assert world.store.all("fly_volume")[0]["size_gb"] == 2


def test_extended_volume_is_not_drift(volume: Driven, world: World) -> None:
    grown = {**world.store.all("fly_volume")[0], "size_gb": 15}
    world.store.put("fly_volume", volume.id, grown)

    volume.refresh()
    volume.up(**VOLUME)
    volume.up(**{**VOLUME, "size_gb": 12})

    assert volume.outputs["allocated_gb"] == 15
    assert world.store.all("fly_volume")[0]["size_gb"] == 15


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"size_gb": 5}, "size_gb cannot change from 10 to 5: a Fly volume never shrinks"),
        (
            {"region": "ord"},
            "region cannot change from sjc to ord: that would be another, empty volume; set region to sjc again",
        ),
        ({"name": "other"}, "name cannot change from solos_data to other"),
        ({"encrypted": False}, "encrypted cannot change from True to False"),
        ({"size_gb": 501}, "size_gb must be 1 to 500"),
        ({"snapshot_retention": 61}, "snapshot_retention must be 1 to 60 days"),
    ],
)
def test_data_loss_is_refused(volume: Driven, world: World, change: dict[str, Any], problem: str) -> None:
    before = len(world.journal.entries("fly"))

    with pytest.raises(Refused, match=problem):
        volume.diff(**{**VOLUME, **change})

    assert len(world.journal.entries("fly")) == before


@pytest.mark.parametrize(
    ("field", "argument", "value"),
    [("snapshot_retention", "snapshot_retention", 1), ("auto_backup_enabled", "scheduled_snapshots", False)],
)
def test_drift_is_repaired(volume: Driven, world: World, *, field: str, argument: str, value: Any) -> None:
    before = world.store.all("fly_volume")[0]
    world.store.put("fly_volume", volume.id, {**before, field: value})

    volume.refresh()
    shown = volume.inputs[argument]
    volume.up(**VOLUME)

    assert shown == value
    assert world.store.all("fly_volume")[0][field] == before[field]


def test_create_only_arguments(volume: Driven) -> None:
    assert not volume.diff(**VOLUME, guest={"cpus": 2}, image="another", from_snapshot="vs_another").changes


def test_volume_from_snapshot(machine: Driven, configured: Configured, fly: Fly, world: World) -> None:
    add_note(world, "before the snapshot")
    snapshot = volumes.take_snapshot(fly, "solos-prod", machine.inputs["volume_id"])
    add_note(world, "after the snapshot")

    restored = Driven(configured(VolumeProvider))
    restored.up(app="solos-prod", name="restored", region="sjc", size_gb=1, from_snapshot=snapshot.id)

    assert notes(world, restored.id) == ["before the snapshot"]


def test_missing_snapshot_creates_nothing(app: Driven, configured: Configured, world: World) -> None:
    with pytest.raises(ProviderError, match="snapshot not found"):
        Driven(configured(VolumeProvider)).up(**VOLUME, from_snapshot="vs_expired")

    assert world.store.all("fly_volume") == []


def test_full_region_names_remedy(app: Driven, configured: Configured, world: World) -> None:
    world.store.put("fly_full", "sjc", {"region": "sjc"})

    with pytest.raises(ProviderError, match=r"insufficient resources .* try again later, or use a smaller \[\[vm\]\]"):
        Driven(configured(VolumeProvider)).up(**VOLUME)


def test_refresh_follows_moved_volume(
    machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    volume = adopted(configured)
    add_note(world, "a user's row")
    moved = control(world, "POST", "/fly/migrations", {"volume": volume.id})["id"]

    volume.refresh()
    machine.refresh()
    volume.up(**{**VOLUME, "size_gb": 1})
    machine.up(**{**arguments, "volume_id": volume.id})

    assert volume.id == machine.inputs["volume_id"] == moved
    assert (volume.steps[-1], machine.steps[-1]) == ("same", "same")
    assert notes(world, moved) == ["a user's row"]


def test_moved_volume_needs_refresh(
    machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    volume = adopted(configured)
    control(world, "POST", "/fly/migrations", {"volume": volume.id})
    changed = {**arguments, "config": {**CONFIG, "env": {**CONFIG["env"], "LOG_LEVEL": "debug"}}}

    with pytest.raises(ProviderError, match="was moved to another host; run `pulumi refresh`"):
        volume.up(**{**VOLUME, "size_gb": 2})
    with pytest.raises(ProviderError, match="run `pulumi refresh`"):
        machine.up(**changed)

    (running,) = living(world, "fly_machine")
    assert running["config"]["env"]["LOG_LEVEL"] == "info"


def test_deleted_volume_is_kept_in_state(volume: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped from the state, it would be replaced by an empty one: a refresh says the ways out, and a person chooses."""
    Driven(volume.provider, id=volume.id, outputs=volume.outputs).destroy()

    with pytest.raises(ProviderError, match=f'run `FLY_LOST="{volume.id}" pulumi up --refresh`'):
        volume.refresh()

    monkeypatch.setenv("FLY_LOST", volume.id)
    assert volume.refresh() is False


def test_deleted_volume_is_not_adopted(volume: Driven, configured: Configured, world: World) -> None:
    Driven(volume.provider, id=volume.id, outputs=volume.outputs).destroy()
    second = Driven(configured(VolumeProvider))

    second.up(**VOLUME)

    assert second.id != volume.id
    assert len(living(world, "fly_volume")) == 1


def test_snapshots_left_by_deleted_volume(
    volume: Driven, configured: Configured, fly: Fly, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone has deleted the volume: no run begins with an empty one before a person has said what it begins with."""
    snapshot = volumes.take_snapshot(fly, "solos-prod", volume.id)
    volume.destroy()
    second = Driven(configured(VolumeProvider))

    with pytest.raises(ProviderError, match=rf"would be empty in place of vol_\w+: .* for example to {snapshot.id} of"):
        second.up(**VOLUME)

    assert not living(world, "fly_volume")
    monkeypatch.setenv("FLY_LOST", "vol_7uulju6kn71j658b empty")
    assert second.up(**VOLUME)["state"] == "created"


def test_remedy_repeats_what_is_lost(
    volume: Driven, configured: Configured, fly: Fly, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its command left out would be adopted."""
    lost = volume.id
    volumes.take_snapshot(fly, "solos-prod", lost)
    volume.destroy()
    monkeypatch.setenv("FLY_LOST", f"{lost} 3d8d9e64c01e89")

    with pytest.raises(
        ProviderError, match=f'in place of {lost}: .*`FLY_LOST="{lost} 3d8d9e64c01e89 empty" pulumi up`'
    ):
        Driven(configured(VolumeProvider)).up(**VOLUME)


@pytest.mark.parametrize("is_known", [True, False], ids=["mount-known", "mount-unknown"])
def test_remedy_names_machine_of_lost(
    machine: Driven, configured: Configured, fly: Fly, world: World, *, is_known: bool
) -> None:
    """Its host is away. The refresh names it, and a later `up`, whose state has neither of the two any more."""
    volume = adopted(configured)
    volumes.take_snapshot(fly, "solos-prod", volume.id)
    control(world, "POST", "/fly/hosts", {"machine": machine.id, "status": "unreachable"})
    (lost,) = world.store.all("fly_volume")
    world.store.put("fly_volume", lost["id"], {**lost, "state": "destroyed", "attached_machine_id": None})
    (away,) = world.store.all("fly_machine")
    if not is_known:
        world.store.put("fly_machine", away["id"], {**away, "config": {**away["config"], "mounts": []}})

    with pytest.raises(ProviderError, match=f'run `FLY_LOST="{volume.id} {machine.id}" pulumi up --refresh`'):
        volume.refresh()
    with pytest.raises(ProviderError, match=f'`FLY_LOST="{volume.id} {machine.id} empty" pulumi up`'):
        Driven(configured(VolumeProvider)).up(**VOLUME)


@pytest.mark.parametrize(("begins", "replaces"), [({}, True), ({"from_snapshot": "newest"}, False)])
def test_adopted_in_place_of_lost(
    volume: Driven, configured: Configured, fly: Fly, begins: dict[str, str], replaces: bool
) -> None:
    """A run that is killed while it creates the new volume does not record it. The next one adopts it, and still knows what it
    replaces: a deleted volume with snapshots. One that begins with a snapshot has the data."""
    snapshot = volumes.take_snapshot(fly, "solos-prod", volume.id)
    begins = dict.fromkeys(begins, snapshot.id)
    volume.destroy()
    Driven(configured(VolumeProvider)).up(**VOLUME, is_replicated=True, **begins)
    adopted = Driven(configured(VolumeProvider))

    adopted.up(**VOLUME, is_replicated=True, **begins)
    adopted.refresh()
    adopted.up(**{**VOLUME, "size_gb": 11}, is_replicated=True, **begins)

    assert adopted.outputs["replaces_lost"] == replaces
    assert adopted.steps == ["create", "read", "update"]


def test_snapshot_of_deleted_volume_continues(volume: Driven, configured: Configured, fly: Fly) -> None:
    snapshot = volumes.take_snapshot(fly, "solos-prod", volume.id)
    volume.destroy()

    assert Driven(configured(VolumeProvider)).up(**VOLUME, from_snapshot=snapshot.id)["from_snapshot"] == snapshot.id


def test_failed_last_snapshot_keeps_volume(volume: Driven, world: World) -> None:
    volume.up(**VOLUME, last_snapshot=True)
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="snapshots$", status=422, times=9))

    with pytest.raises(ProviderError, match="take a snapshot"):
        volume.destroy()

    assert len(living(world, "fly_volume")) == 1


def test_mounted_volume_is_refused(
    machine: Driven, arguments: dict[str, Any], configured: Configured, tmp_path: Path
) -> None:
    with pytest.raises(ProviderError, match="a volume has one machine"):
        Driven(configured(MachineProvider)).up(**{**arguments, "name": "second"})


@pytest.mark.parametrize(("words", "replicated"), [("empty", False), ("", True)], ids=["given-up", "replicated"])
def test_lost_volume_stays(
    volume: Driven, world: World, monkeypatch: pytest.MonkeyPatch, words: str, replicated: bool
) -> None:
    """A volume that is declared lost leaves the stack and stays at Fly; another one is created, and nothing adopts the lost one."""
    lost = volume.id
    monkeypatch.setenv("FLY_LOST", f"{lost} {words}")

    assert not volume.refresh()
    volume.up(**VOLUME, is_replicated=replicated)

    assert volume.id != lost
    assert sorted(item["id"] for item in living(world, "fly_volume")) == sorted([lost, volume.id])


def test_lost_volume_without_data(volume: Driven, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared lost, and nothing said of its data: without snapshot and replica, no empty volume takes its place."""
    lost = volume.id
    monkeypatch.setenv("FLY_LOST", lost)
    volume.refresh()

    with pytest.raises(ProviderError, match=f'to give the data up, run `FLY_LOST="{lost} empty" pulumi up`'):
        volume.up(**VOLUME)

    assert [item["id"] for item in living(world, "fly_volume")] == [lost]
