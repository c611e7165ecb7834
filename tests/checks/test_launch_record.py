"""A launch is a fact: declared once all holds, unchanged after that, withdrawn on purpose only."""

from collections.abc import Callable
from typing import Any

import pytest

from providers.checks.launch_record import LaunchRecordProvider, NotReady
from rehearsal.cloud.world import World
from tests.driver import Driven, Refused
from tests.fly.conftest import arguments, machine
from tests.inprocess import control

__all__ = ["arguments", "machine"]
HOLDS = {"key": "installed", "evidence": "ada@sollabs.example: iPhone17,1, iOS 26.1"}
OPEN = {"key": "smoke-test", "open": "jun@sollabs.example has not signed off sign-up"}


@pytest.fixture
def record(configured: Callable[[Any], Any], machine: Driven) -> Driven:
    return Driven(configured(LaunchRecordProvider))


def declaration(*requirements: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "label": "v0",
        "declared_by": "Mara Lindqvist",
        "hostname": "solos-prod.fly.dev",
        "requirements": list(requirements),
        **more,
    }


def test_a_launch_is_declared_when_everything_holds(record: Driven) -> None:
    outputs = record.up(**declaration(HOLDS))

    assert record.id == "v0"
    assert outputs["declared_at"]
    assert len(outputs["latencies_ms"]) == 3


def test_everything_that_is_missing_is_named_at_once(record: Driven) -> None:
    crashed = {"key": "no-crashes", "open": "2 crashes in 9 sessions"}

    with pytest.raises(NotReady) as refusal:
        record.up(**declaration(HOLDS, OPEN, crashed))

    assert "2 of 3 requirements are open" in str(refusal.value)
    assert "jun@sollabs.example has not signed off sign-up" in str(refusal.value)
    assert "2 crashes in 9 sessions" in str(refusal.value)


def test_a_waiver_with_a_name_lets_a_row_be_open_and_stays_in_the_record(record: Driven) -> None:
    waiver = {"smoke-test": {"reason": "Jun is ill", "by": "Mara"}}

    outputs = record.up(**declaration(HOLDS, OPEN, waivers=waiver))

    assert outputs["waivers"] == waiver


def test_a_backend_that_is_down_at_that_moment_is_no_launch(record: Driven, world: World) -> None:
    world.clock.sleep(1)
    (running,) = control(world, "GET", "/fly/state")["fly_machine"]
    world.store.delete("fly_machine", running["id"])

    with pytest.raises(Exception, match=r"solos-prod\.fly\.dev/health to answer as expected"):
        record.up(**declaration(HOLDS))

    assert record.id == ""


def test_later_releases_leave_the_record_as_it_is(record: Driven) -> None:
    declared = record.up(**declaration(HOLDS))

    record.up(**declaration(OPEN, facts={"image": "another"}))

    assert record.steps == ["create", "same"]
    assert record.outputs == declared


def test_a_withdrawal_is_recorded_with_its_reason(record: Driven) -> None:
    record.up(**declaration(HOLDS))

    outputs = record.up(**declaration(HOLDS, withdrawn="rows were lost"))

    assert (outputs["withdrawn"], outputs["label"]) == ("rows were lost", "v0")
    assert outputs["withdrawn_at"] >= outputs["declared_at"]


def test_a_withdrawal_cannot_be_taken_back(record: Driven) -> None:
    record.up(**declaration(HOLDS))
    record.up(**declaration(HOLDS, withdrawn="rows were lost"))

    with pytest.raises(Refused, match=r"is withdrawn \(rows were lost\), and that stays"):
        record.up(**declaration(HOLDS))
