"""A snapshot on demand: taken once, waited for, kept in the state when it has expired, and never deleted."""

import pytest

from harness.driver import Driven
from providers.errors import ProviderError
from providers.fly.volume_snapshot import VolumeSnapshotProvider
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.fly.conftest import Configured

DAY = 86_400.0


@pytest.fixture
def snapshot(machine: Driven, configured: Configured) -> Driven:
    snapshot = Driven(configured(VolumeSnapshotProvider))
    snapshot.up(app="solos-prod", volume_id=machine.inputs["volume_id"], reason="before the launch")
    return snapshot


def test_a_snapshot_is_there_when_it_is_made(snapshot: Driven, world: World) -> None:
    (made,) = world.store.all("fly_snapshot")

    assert snapshot.id == made["id"]
    assert (snapshot.outputs["status"], snapshot.outputs["retention_days"]) == ("created", 5)


def test_another_reason_is_another_snapshot(snapshot: Driven, machine: Driven, world: World) -> None:
    arguments = {"app": "solos-prod", "volume_id": machine.inputs["volume_id"]}

    snapshot.up(**arguments, reason="before the launch")
    snapshot.up(**arguments, reason="before the next")

    assert snapshot.steps == ["create", "same", "replace"]
    assert len(world.store.all("fly_snapshot")) == 2


def test_one_that_expired_was_taken_nevertheless(snapshot: Driven, machine: Driven, world: World) -> None:
    world.clock.sleep(6 * DAY)

    assert snapshot.refresh()

    assert snapshot.outputs["status"] == "expired"
    assert not snapshot.diff(
        app="solos-prod", volume_id=machine.inputs["volume_id"], reason="before the launch"
    ).changes


def test_destroying_it_leaves_it_and_says_so(snapshot: Driven, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("providers.engine.note", said.append)

    snapshot.destroy()

    assert len(world.store.all("fly_snapshot")) == 1
    assert "stays at Fly until it expires" in said[0]


def test_one_that_fly_fails_to_take_is_told(machine: Driven, configured: Configured, world: World) -> None:
    world.delays = type(world.delays)(snapshot=30.0)
    failing = Driven(configured(VolumeSnapshotProvider))
    taken = world.store.put

    def fail(kind: str, key: str, body: dict[str, object]) -> dict[str, object]:
        return taken(kind, key, {**body, "_status": "failed"} if kind == "fly_snapshot" else body)

    world.store.put = fail  # type: ignore[method-assign]

    with pytest.raises(ProviderError, match="Fly failed to take a snapshot of the volume"):
        failing.up(app="solos-prod", volume_id=machine.inputs["volume_id"])


@pytest.mark.parametrize("kind", ["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"])
def test_one_is_taken_whatever_becomes_of_the_answer(
    machine: Driven, configured: Configured, world: World, kind: Kind
) -> None:
    world.faults.arm(Fault(kind, service="fly", method="POST", path="snapshots$"))
    snapshot = Driven(configured(VolumeSnapshotProvider))

    snapshot.up(app="solos-prod", volume_id=machine.inputs["volume_id"])

    assert snapshot.outputs["status"] == "created"
    assert len(world.store.all("fly_snapshot")) <= 2
