"""Existing objects are found by their natural keys; unclaimed ones are listed."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import providers.fly
from adoption import locate
from harness.driver import Driven
from harness.inprocess import control
from providers.adoption import Adoptable
from providers.errors import ProviderError
from providers.fly.api.client import Fly
from providers.fly.app import AppProvider
from providers.fly.certificate import CertificateProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import MachineArgs
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.provider import FlyGate, FlyProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]
WITHOUT = {"IssuedCertificate", "PostgresAccess", "PostgresBackup", "ReleaseCommand", "Secrets", "Survey"}
"""Gates, values that nobody can read, a command that has run, and a backup per reason."""
KINDS: list[tuple[Any, dict[str, Any]]] = [
    (AppProvider, {"name": "solos-prod", "org": "sol-labs"}),
    (IpAddressProvider, {"app": "solos-prod", "type": "v6"}),
    (VolumeProvider, {"app": "solos-prod", "name": "data", "region": "sjc"}),
    (CertificateProvider, {"app": "solos-prod", "hostname": "api.sollabs.example"}),
    (ManagedPostgresProvider, {"org": "sol-labs", "name": "solos-prod-db", "region": "sjc"}),
]


def test_every_resource_is_covered() -> None:
    for file in Path(providers.fly.__path__[0]).glob("*.py"):
        import_module(f"providers.fly.{file.stem}")
    kinds = [*FlyProvider.__subclasses__(), *FlyGate.__subclasses__()]
    objects = [kind for kind in kinds if kind is not FlyGate and kind.__module__.startswith("providers.fly.")]
    names = {provider.__name__.removesuffix("Provider") for provider in objects}

    assert names == {provider.__name__.removesuffix("Provider") for provider in locate.LOCATE} | WITHOUT


def test_adopted_objects_can_be_kept() -> None:
    """What can be found can be adopted, and `destroy` releases what was adopted: its arguments say what existed."""
    assert [kind.__name__ for kind in locate.LOCATE if not issubclass(kind.Args, Adoptable)] == []


@pytest.mark.parametrize(("kind", "arguments"), KINDS)
def test_object_is_found(configured: Configured, fly: Fly, kind: Any, arguments: dict[str, Any]) -> None:
    if kind is not AppProvider:
        Driven(configured(AppProvider)).up(**KINDS[0][1])
    made = Driven(configured(kind))
    made.up(**arguments)

    assert locate.LOCATE[kind](fly, kind.Args(**arguments)) == made.id


def test_other_machine_name_is_reported(machine: Driven, fly: Fly) -> None:
    wanted = {key: value for key, value in machine.inputs.items() if key != "secrets_version"}
    assert locate.LOCATE[MachineProvider](fly, MachineArgs(**wanted)) == machine.id

    with pytest.raises(ProviderError, match="is called solos, not solserver"):
        locate.LOCATE[MachineProvider](fly, MachineArgs(**{**wanted, "name": "solserver"}))


def test_ambiguous_objects_are_refused(configured: Configured, fly: Fly, world: World) -> None:
    for kind, arguments in (KINDS[0], KINDS[2]):
        Driven(configured(kind)).up(**arguments)
    (volume,) = world.store.all("fly_volume")
    world.store.put("fly_volume", "vol_second", {**volume, "id": "vol_second"})

    with pytest.raises(ProviderError, match="there are 2 volumes data in sjc"):
        locate.LOCATE[VolumeProvider](fly, VolumeProvider.Args(**KINDS[2][1]))


def test_unclaimed_objects_are_listed(machine: Driven, fly: Fly, configured: Configured) -> None:
    Driven(configured(CertificateProvider)).up(app="solos-prod", hostname="api.sollabs.example")

    left = list(locate.unclaimed(fly, "solos-prod", {machine.id}))

    assert left == [
        f"volume {machine.inputs['volume_id']} 'solos_data' in sjc",
        "address 66.241.124.100",
        "certificate of api.sollabs.example",
    ]


def test_machine_on_unreachable_host(machine: Driven, fly: Fly, world: World) -> None:
    """Its config cannot be read, so it is not imported."""
    control(world, "POST", "/fly/hosts", {"machine": machine.id, "status": "unreachable"})
    wanted = {key: value for key, value in machine.inputs.items() if key != "secrets_version"}

    with pytest.raises(ProviderError, match="on a host that Fly reports as unreachable"):
        locate.LOCATE[MachineProvider](fly, MachineArgs(**wanted))
