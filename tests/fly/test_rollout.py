"""The rollout: verified from outside, and again when something else runs."""

from typing import Any

import pytest

from harness.driver import Driven, Refused
from providers.checks.rollout import RolloutProvider
from providers.errors import ProviderError
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.conftest import Configured


@pytest.fixture
def arguments(machine: Driven) -> dict[str, Any]:
    return {
        "app": "solos-prod",
        "hostname": "solos-prod.fly.dev",
        "machine_id": machine.id,
        "instance_id": machine.outputs["instance_id"],
        "seconds": 20.0,
    }


def test_healthy_backend_is_verified(configured: Configured, arguments: dict[str, Any], machine: Driven) -> None:
    rollout = Driven(configured(RolloutProvider))

    rollout.up(**arguments)

    assert len(rollout.outputs["latencies_ms"]) == 3
    assert rollout.outputs["instance_id"] == machine.outputs["instance_id"]
    assert rollout.outputs["image"] == machine.outputs["image"]


def test_other_version_is_verified_again(configured: Configured, arguments: dict[str, Any], world: World) -> None:
    """Also one with the same image."""
    rollout = Driven(configured(RolloutProvider))
    rollout.up(**arguments)
    edited = {**world.store.all("fly_machine")[0], "instance_id": "01ZZ"}
    world.store.put("fly_machine", edited["id"], edited)

    rollout.up(**arguments)
    rollout.up(**{**arguments, "instance_id": "01ZZ"})

    assert rollout.steps == ["create", "same", "update"]
    assert rollout.outputs["instance_id"] == "01ZZ"


def test_longer_budget_changes_nothing(configured: Configured, arguments: dict[str, Any]) -> None:
    rollout = Driven(configured(RolloutProvider))
    rollout.up(**arguments)

    assert not rollout.diff(**{**arguments, "seconds": 600.0}).changes


def test_new_name_is_waited_for(configured: Configured, arguments: dict[str, Any], world: World) -> None:
    """A resolver can say for minutes that a new hostname has no address."""
    world.faults.arm(Fault("lose_before", service="proxy", times=200))

    Driven(configured(RolloutProvider)).up(**{**arguments, "seconds": 300.0})


def test_wrong_response_is_reported(configured: Configured, arguments: dict[str, Any]) -> None:
    """With what was expected and what came."""
    with pytest.raises(
        ProviderError, match=r"""without '9\.9\.9' in the body, which begins with '{"status":"ok","""
    ) as refused:
        Driven(configured(RolloutProvider)).up(**arguments, expect_body="9.9.9")

    assert "\n" not in str(refused.value)


def test_silent_machine_is_reported(configured: Configured, arguments: dict[str, Any], world: World) -> None:
    stopped = {**world.store.all("fly_machine")[0], "state": "stopped"}
    world.store.put("fly_machine", stopped["id"], stopped)

    with pytest.raises(ProviderError, match="HTTP 503 instead of 200"):
        Driven(configured(RolloutProvider)).up(**arguments)


def test_bad_arguments_are_refused(configured: Configured, arguments: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="must begin with a slash"):
        Driven(configured(RolloutProvider)).up(**{**arguments, "path": "health"})
