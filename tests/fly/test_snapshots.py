"""A snapshot of a volume: waited for, and taken despite faults."""

import pytest

from harness.driver import Driven
from providers.errors import ProviderError
from providers.fly.api import volumes
from providers.fly.api.client import Fly
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World


def test_snapshot_is_finished(machine: Driven, fly: Fly, world: World) -> None:
    snapshot = volumes.take_snapshot(fly, "solos-prod", machine.inputs["volume_id"])

    (made,) = world.store.all("fly_snapshot")
    assert (snapshot.id, snapshot.status) == (made["id"], "created")


def test_failed_snapshot_is_reported(machine: Driven, fly: Fly, world: World) -> None:
    world.delays = type(world.delays)(snapshot=30.0)
    taken = world.store.put

    def fail(kind: str, key: str, body: dict[str, object]) -> dict[str, object]:
        return taken(kind, key, {**body, "_status": "failed"} if kind == "fly_snapshot" else body)

    world.store.put = fail  # type: ignore[method-assign]  # replaced for this test

    with pytest.raises(ProviderError, match="Fly failed to take a snapshot of volume"):
        volumes.take_snapshot(fly, "solos-prod", machine.inputs["volume_id"])


@pytest.mark.parametrize("kind", ["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"])
def test_snapshot_survives_faults(machine: Driven, fly: Fly, world: World, kind: Kind) -> None:
    world.faults.arm(Fault(kind, service="fly", method="POST", path="snapshots$"))

    snapshot = volumes.take_snapshot(fly, "solos-prod", machine.inputs["volume_id"])

    assert snapshot.status == "created"
    assert len(world.store.all("fly_snapshot")) <= 2
