"""Release records: each deployment has one, and each ends as complete or failed."""

import re
from typing import Any

import pytest

from harness.driver import Driven
from providers.errors import ProviderError
from providers.fly.api import releases
from providers.fly.api.client import Fly, FlyError
from providers.fly.machine import MachineProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.backend import HOSTNAME
from tests.fly.conftest import CONFIG, Configured, push

TAG = "registry.fly.io/solserver:1.0.0"


@pytest.fixture
def served(arguments: dict[str, Any]) -> dict[str, Any]:
    return {**arguments, "hostname": HOSTNAME, "tag": TAG, "healthy_seconds": 20.0}


@pytest.fixture
def machine(configured: Configured) -> Driven:
    return Driven(configured(MachineProvider))


def records(world: World) -> list[tuple[str, str]]:
    """Image and status of each record, oldest first."""
    found = sorted(world.store.all("fly_release"), key=lambda release: release["version"])
    return [(item["image_ref"], item["status"]) for item in found]


def test_record_names_tag(machine: Driven, served: dict[str, Any], world: World) -> None:
    """Fly does not find the image by its digest."""
    machine.up(**served)

    assert records(world) == [(TAG, "complete")]


def test_record_names_digest(machine: Driven, served: dict[str, Any], world: World) -> None:
    machine.up(**{**served, "image": push(world, "1.0.0", found_by_digest=True)})

    assert records(world) == [(served["image"], "complete")]


def test_image_unknown_to_fly(machine: Driven, served: dict[str, Any], world: World) -> None:
    machine.up(**{**served, "tag": ""})

    assert machine.outputs["state"] == "started"
    assert records(world) == []


@pytest.mark.parametrize("token", ["fo1_plain", "fm2_macaroon", "FlyV1 fm2_macaroon,fm2_more"])
def test_token_of_any_kind(
    machine: Driven, served: dict[str, Any], settings: dict[str, Any], world: World, token: str
) -> None:
    settings["flyApiToken"] = token

    machine.up(**served)

    assert records(world) == [(TAG, "complete")]


def test_refused_creation(machine: Driven, served: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="machines$", status=422, body={"error": "no"}))

    with pytest.raises(FlyError):
        machine.up(**served)

    assert records(world) == [(TAG, "failed")]


@pytest.mark.parametrize("kind", ["lose_after", "lose_before"])
def test_lost_response(machine: Driven, served: dict[str, Any], world: World, kind: Any) -> None:
    world.faults.arm(Fault(kind, service="fly_platform", method="POST", path="releases$"))

    machine.up(**{**served, "image": push(world, "1.0.0", found_by_digest=True)})

    assert records(world) == ([(served["image"], "complete")] if kind == "lose_after" else [])


def test_next_run_closes_records(machine: Driven, served: dict[str, Any], world: World, fly: Fly) -> None:
    """Two runs are killed right after they have written a record."""
    machine.up(**served)
    for _ in range(2):
        releases.begin(fly, "solos-prod", served["image"], releases.Draft(tag=TAG))

    machine.up(**{**served, "config": {**CONFIG, "env": {**CONFIG["env"], "LOG_LEVEL": "debug"}}})

    assert [status for _, status in records(world)] == ["complete", "failed", "failed", "complete"]


def test_running_is_refused(machine: Driven, served: dict[str, Any], world: World) -> None:
    """A record that cannot be marked as running is still marked as complete."""
    world.faults.arm(Fault("refuse", service="fly_platform", method="PATCH", status=422, body={"error": "no"}))

    machine.up(**served)

    assert records(world) == [(TAG, "complete")]


def test_end_is_retried(machine: Driven, served: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("lose_before", service="fly_platform", method="PATCH", skip=1))

    machine.up(**served)

    assert records(world) == [(TAG, "complete")]


def test_unhealthy_first_version(machine: Driven, served: dict[str, Any], world: World) -> None:
    with pytest.raises(ProviderError, match="was created, and failed"):
        machine.up(**{**served, "image": push(world, "1.0.0", broken="unhealthy")})

    assert records(world) == [(TAG, "failed")]


def test_refused_end_is_retried(machine: Driven, served: dict[str, Any], world: World) -> None:
    fault = Fault("refuse", service="fly_platform", method="PATCH", status=422, body={"error": "no"}, skip=1, times=3)
    world.faults.arm(fault)

    machine.up(**served)

    assert records(world) == [(TAG, "complete")]


@pytest.mark.parametrize("is_first", [True, False])
def test_next_up_ends_record(machine: Driven, served: dict[str, Any], world: World, *, is_first: bool) -> None:
    """Fly's web API does not respond at the end of a deployment: the next `up` ends the record, and deploys nothing."""
    if not is_first:
        machine.up(**served)
        served = {**served, "config": {**CONFIG, "env": {**CONFIG["env"], "LOG_LEVEL": "debug"}}}
    world.faults.arm(Fault("refuse", service="fly_platform", method="PATCH", status=503, skip=1, times=99))
    machine.up(**served)
    version, left = machine.outputs["instance_id"], records(world)[-1]
    world.faults.clear()

    machine.refresh()
    machine.up(**served)
    machine.up(**served)

    assert left == (TAG, "running")
    assert records(world)[-1] == (TAG, "complete")
    assert (machine.outputs["instance_id"], machine.steps[-2:]) == (version, ["update", "same"])


def test_rollback_precedes_record(machine: Driven, served: dict[str, Any], world: World) -> None:
    """Users do not wait for a record."""
    machine.up(**served)
    before = len(world.journal.entries())

    with pytest.raises(ProviderError, match="Rolled back"):
        machine.up(**{**served, "image": push(world, "1.0.1", broken="unhealthy")})

    writes = [entry["service"] for entry in world.journal.entries()[before:] if _changes_version(entry)]
    assert writes == ["fly_platform", "fly", "fly", "fly_platform"]


def _changes_version(entry: dict[str, Any]) -> bool:
    """Whether a call deploys a version, or says how a deployment stands."""
    is_machine = entry["service"] == "fly" and re.search(r"/machines/\w+$", entry["path"])
    return (entry["method"] == "POST" and bool(is_machine)) or entry["method"] == "PATCH"
