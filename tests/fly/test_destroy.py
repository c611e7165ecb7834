"""Destroying a backend: production keeps a last snapshot and names it, a rehearsal leaves nothing."""

from pathlib import Path
from typing import Any

import pytest

from harness.driver import Driven
from providers.errors import ProviderError
from providers.fly.app import AppProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.world import World
from tests.fly.backend import add_note, living, machines_of
from tests.fly.conftest import Configured


def adopted(configured: Configured, arguments: dict[str, Any], *, protected: bool) -> tuple[Driven, Driven]:
    """App and volume of the machine, as resources."""
    app, volume = Driven(configured(AppProvider)), Driven(configured(VolumeProvider))
    app.up(name="solos-prod", org="sol-labs", keep_snapshots=protected)
    volume.up(app="solos-prod", name="solos_data", region="sjc", size_gb=1, last_snapshot=protected)
    return app, volume


def test_last_snapshot_is_named(
    configured: Configured, arguments: dict[str, Any], machine: Driven, world: World, said: list[str]
) -> None:
    app, volume = adopted(configured, arguments, protected=True)
    add_note(world, "the last row")

    for resource in (machine, volume, app):
        resource.destroy()

    (snapshot,) = world.store.all("fly_snapshot")
    database: Path = machines_of(world).disks.folder / "snapshots" / snapshot["id"] / "solos.db"
    assert b"the last row" in database.read_bytes()
    assert f"--snapshot-id {snapshot['id']}" in said[0]
    assert snapshot["id"] in said[1]
    assert living(world, "fly_volume") == living(world, "fly_machine") == []
    assert [left["name"] for left in living(world, "fly_app")] == ["solos-prod"]


def test_rehearsal_leaves_nothing(
    configured: Configured, arguments: dict[str, Any], machine: Driven, world: World, said: list[str]
) -> None:
    app, volume = adopted(configured, arguments, protected=False)

    for resource in (machine, volume, app):
        resource.destroy()

    for kind in ("fly_app", "fly_ip", "fly_machine", "fly_volume", "fly_snapshot"):
        assert living(world, kind) == []
    assert said == []


def test_app_with_data_stays(configured: Configured, arguments: dict[str, Any], machine: Driven, world: World) -> None:
    app, _ = adopted(configured, arguments, protected=False)

    with pytest.raises(ProviderError, match=f"still has machine {machine.id}, volume vol_"):
        app.destroy()

    assert len(living(world, "fly_app")) == 1


def test_volume_waits_for_detach(
    configured: Configured, arguments: dict[str, Any], machine: Driven, world: World
) -> None:
    _, volume = adopted(configured, arguments, protected=False)
    world.delays = type(world.delays)(volume_detach=45.0)
    machine.destroy()

    volume.destroy()

    assert living(world, "fly_volume") == []


def test_machine_stops_gracefully(machine: Driven, world: World) -> None:
    id = machine.id

    machine.destroy()

    calls = [f"{call['method']} {call['path'].rpartition('/')[2]}" for call in world.journal.entries("fly")]
    assert calls.index("POST stop") < calls.index("GET wait") < calls.index(f"DELETE {id}")
