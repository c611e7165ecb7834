"""Lists that lag behind a write: nothing is created twice, adopted although it is gone, or taken for gone although it is there."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from harness.driver import Driven
from providers.fly.app import AppProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.secrets import SecretsProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.backend import RELEASES, Backend, held, living
from tests.fly.conftest import APP, Configured, push


@pytest.fixture
def lagging(world: World) -> World:
    world.delays = replace(world.delays, list_lag=4.0, volume_detach=30.0)
    return world


def test_life_of_backend(lagging: World, settings: dict[str, Any]) -> None:
    for tag, broken in RELEASES.items():
        push(lagging, tag, broken=broken)
    backend = Backend(settings)

    backend.up()
    assert all(resource.refresh() for resource in backend.resources.values())
    backend.up(tag="1.0.1", secrets={"SESSION_KEY": "two"}, size_gb=2)
    steps = [resource.steps[-1] for resource in backend.resources.values()]
    backend.up(tag="1.0.1", secrets={"SESSION_KEY": "two"}, size_gb=2)

    assert "replace" not in steps
    assert {resource.steps[-1] for resource in backend.resources.values()} == {"same"}
    assert [len(held(lagging)[kind]) for kind in ("apps", "machines", "volumes", "addresses")] == [1, 1, 1, 2]
    backend.destroy()
    assert living(lagging, "fly_app") == []


def test_destroyed_machine_is_not_adopted(
    machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    world.delays = replace(world.delays, list_lag=20.0, volume_detach=30.0)
    before = machine.id
    world.clock.sleep(60)
    machine.destroy()

    machine.up(**arguments)

    assert machine.id != before


def test_unlisted_machine_is_adopted(
    machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    """A run was killed right after it had created the machine, and the list does not show it yet."""
    created_at = datetime.fromisoformat(world.store.all("fly_machine")[0]["created_at"]).timestamp()
    world.delays = replace(world.delays, list_lag=world.clock.now() - created_at + 3)
    successor = Driven(configured(MachineProvider))

    successor.up(**arguments)

    assert (successor.id, len(living(world, "fly_machine"))) == (machine.id, 1)


def test_unlisted_volume_is_adopted(app: Driven, configured: Configured, world: World) -> None:
    """A run was killed right after it had created the volume. Names are not unique: the next one creates another, and deletes it."""
    killed, successor = Driven(configured(VolumeProvider)), Driven(configured(VolumeProvider))
    killed.up(app="solos-prod", name="solos_data", region="sjc", size_gb=1)
    world.delays = replace(world.delays, list_lag=5.0)

    successor.up(app="solos-prod", name="solos_data", region="sjc", size_gb=1)

    assert successor.id == killed.id
    assert [volume["id"] for volume in living(world, "fly_volume")] == [killed.id]


def test_deleted_volume_is_not_adopted(app: Driven, configured: Configured, lagging: World) -> None:
    volume = Driven(configured(VolumeProvider))
    wanted = {"app": "solos-prod", "name": "solos_data", "region": "sjc", "size_gb": 1}
    volume.up(**wanted)
    before = volume.id
    lagging.clock.sleep(10)
    volume.destroy()

    volume.up(**wanted)

    assert volume.id != before


def test_new_address_is_not_gone(app: Driven, configured: Configured, lagging: World) -> None:
    address = Driven(configured(IpAddressProvider))
    address.up(app="solos-prod", type="v6")

    assert address.refresh()


@pytest.mark.parametrize("listed", [[], [{"name": "KEY"}, {"name": "ADDED"}]])
def test_secrets_are_read_after_write(
    app: Driven, configured: Configured, lagging: World, listed: list[dict[str, str]]
) -> None:
    """Fly's response to the write has no digests, and the list shows those from before."""
    secrets = Driven(configured(SecretsProvider))
    secrets.up(app="solos-prod", values={"KEY": "one"})
    body = {"secrets": listed, "version": 2}
    lagging.faults.arm(Fault("refuse_after", service="fly", method="POST", path="secrets$", status=200, body=body))

    secrets.up(app="solos-prod", values={"KEY": "two", "ADDED": "three"})
    lagging.clock.sleep(10)
    before = dict(secrets.outputs)
    secrets.refresh()

    assert secrets.outputs == before


def test_emptied_app_is_deleted(
    machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    app = Driven(configured(AppProvider))
    app.up(**APP)
    volume = Driven(configured(VolumeProvider))
    volume.up(app="solos-prod", name="solos_data", region="sjc", size_gb=1)
    world.delays = replace(world.delays, list_lag=20.0, volume_detach=10.0)
    world.clock.sleep(60)

    for resource in (machine, volume, app):
        resource.destroy()

    assert living(world, "fly_app") == []
