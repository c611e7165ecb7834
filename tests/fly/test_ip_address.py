"""Addresses: one per kind, adopted when the app has it, released once."""

import pytest

from harness.driver import Driven, Refused
from providers.fly.ip_address import IpAddressProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.conftest import Configured

KINDS = ["shared_v4", "v4", "v6", "private_v6"]


def address(configured: Configured, kind: str, region: str | None = None) -> Driven:
    made = Driven(configured(IpAddressProvider))
    made.up(app="solos-prod", type=kind, region=region)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_address_is_assigned_once(app: Driven, configured: Configured, world: World, kind: str) -> None:
    first, second = address(configured, kind), address(configured, kind)

    assert first.outputs["address"] == second.id
    assert len(world.store.all("fly_ip")) == 1


def test_all_kinds_coexist(app: Driven, configured: Configured) -> None:
    made = [address(configured, kind) for kind in KINDS]

    assert len({assigned.id for assigned in made}) == len(KINDS)
    for assigned in made:
        assert assigned.refresh()
        assert not assigned.diff(app="solos-prod", type=assigned.inputs["type"]).changes


def test_dedicated_address_has_region(app: Driven, configured: Configured, world: World) -> None:
    anywhere, here = address(configured, "v6"), address(configured, "v6", "sjc")

    assert anywhere.id != here.id
    assert sorted(item["region"] for item in world.store.all("fly_ip")) == ["global", "sjc"]


@pytest.mark.parametrize("kind", ["shared_v4", "private_v6"])
def test_shared_address_has_no_region(app: Driven, configured: Configured, kind: str) -> None:
    with pytest.raises(Refused, match=f"an address of type {kind} cannot have a region"):
        address(configured, kind, "sjc")


def test_unknown_kind_is_refused(app: Driven, configured: Configured) -> None:
    with pytest.raises(Refused, match="type must be one of shared_v4, v4, v6, private_v6"):
        address(configured, "v5")


@pytest.mark.parametrize(("field", "value"), [("type", "v4"), ("app", "another")])
def test_any_change_replaces(app: Driven, configured: Configured, field: str, value: str) -> None:
    made = address(configured, "v6")

    assert made.diff(**{"app": "solos-prod", "type": "v6", field: value}).replaces == [field]


def test_released_address_is_gone(app: Driven, configured: Configured) -> None:
    made = address(configured, "v6")
    Driven(made.provider, id=made.id, outputs=made.outputs).destroy()

    assert made.refresh() is False


def test_second_release_succeeds(app: Driven, configured: Configured, world: World) -> None:
    made = address(configured, "v6")
    world.faults.arm(Fault("lose_after", service="fly", method="DELETE"))

    made.destroy()

    assert world.store.all("fly_ip") == []
