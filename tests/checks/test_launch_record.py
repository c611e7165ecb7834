"""The record of a launch: declared when all requirements are met, then unchanged, withdrawn only on purpose."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from harness.driver import Driven, Refused
from harness.inprocess import Doubles, control
from providers import waiting
from providers.checks.launch_record import LaunchRecordProvider, NotReady
from providers.errors import TimedOut
from rehearsal.cloud.world import World
from tests.fly.conftest import arguments, machine

__all__ = ["arguments", "machine"]
HOLDS = {"key": "installed", "evidence": "ada@sollabs.example: iPhone17,1, iOS 26.1"}
Declaration = Callable[..., dict[str, Any]]
OPEN = {"key": "smoke-test", "open": "jun@sollabs.example has not signed off sign-up"}


@pytest.fixture
def record(world: World, configured: Callable[[Any], Any], machine: Driven) -> Driven:
    """Ten minutes after the machine's version was verified."""
    world.clock.sleep(600)
    return Driven(configured(LaunchRecordProvider))


@pytest.fixture
def declaration(record: Driven, machine: Driven) -> Declaration:
    """The arguments of a record, with these requirements."""
    verified_at = ago(600)

    def declare(*requirements: dict[str, str], **more: Any) -> dict[str, Any]:
        return {
            "label": "v0",
            "declared_by": "Mara Lindqvist",
            "hostname": "solos-prod.fly.dev",
            "org": "sol-labs",
            "app": "solos-prod",
            "machine_id": machine.id,
            "verified_at": verified_at,
            "requirements": list(requirements),
            **more,
        }

    return declare


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(waiting.clock.wall() - seconds, UTC).isoformat(timespec="seconds")


def ask(world: World, path: str) -> int:
    """The HTTP status of the public address."""
    with httpx.Client(transport=Doubles(world), base_url="http://proxy.test") as client:
        return client.get(path, headers={"Host": "solos-prod.fly.dev"}).status_code


def test_launch_is_declared(record: Driven, declaration: Declaration) -> None:
    outputs = record.up(**declaration(HOLDS))

    assert record.id == "v0"
    assert outputs["declared_at"]
    assert len(outputs["latencies_ms"]) == 3


def test_all_open_requirements_are_named(record: Driven, declaration: Declaration) -> None:
    crashed = {"key": "no-crashes", "open": "2 crashes in 9 sessions"}

    with pytest.raises(NotReady) as refusal:
        record.up(**declaration(HOLDS, OPEN, crashed))

    assert "2 of 3 requirements are open" in str(refusal.value)
    assert "jun@sollabs.example has not signed off sign-up" in str(refusal.value)
    assert "2 crashes in 9 sessions" in str(refusal.value)


def test_waiver_stays_in_record(record: Driven, declaration: Declaration) -> None:
    waiver = {"smoke-test": {"reason": "Jun is ill", "by": "Mara", "until": ""}}

    outputs = record.up(**declaration(HOLDS, OPEN, waivers=waiver))

    assert outputs["waivers"] == waiver


def test_waiver_has_ended(record: Driven, declaration: Declaration, world: World) -> None:
    """The launch cannot be declared with it any more."""
    today = datetime.fromtimestamp(world.clock.now(), UTC).date()
    waiver = {"smoke-test": {"reason": "Jun is ill", "by": "Mara", "until": str(today)}}

    with pytest.raises(NotReady, match=r"jun@sollabs\.example has not signed off"):
        record.up(**declaration(HOLDS, OPEN, waivers=waiver))


def test_backend_down_blocks_launch(record: Driven, declaration: Declaration, world: World) -> None:
    world.clock.sleep(1)
    (running,) = control(world, "GET", "/fly/state")["fly_machine"]
    world.store.put("fly_machine", running["id"], {**running, "state": "stopped"})

    with pytest.raises(TimedOut, match=r"solos-prod\.fly\.dev/health to answer as expected"):
        record.up(**declaration(HOLDS))

    assert record.id == ""


def test_later_release_keeps_record(record: Driven, declaration: Declaration) -> None:
    declared = record.up(**declaration(HOLDS))

    record.up(**declaration(OPEN, facts={"image": "another"}))

    assert record.steps == ["create", "same"]
    assert record.outputs == declared


def test_withdrawal_is_recorded(record: Driven, declaration: Declaration) -> None:
    record.up(**declaration(HOLDS))

    outputs = record.up(**declaration(HOLDS, withdrawn="rows were lost"))

    assert (outputs["withdrawn"], outputs["label"]) == ("rows were lost", "v0")
    assert outputs["withdrawn_at"] >= outputs["declared_at"]


def test_withdrawal_is_final(record: Driven, declaration: Declaration) -> None:
    record.up(**declaration(HOLDS))
    record.up(**declaration(HOLDS, withdrawn="rows were lost"))

    with pytest.raises(Refused, match=r"is withdrawn \(rows were lost\), and that cannot be undone"):
        record.up(**declaration(HOLDS))


def fail_once(world: World) -> None:
    """One response is a 503: the machine is briefly not routable."""
    (running,) = control(world, "GET", "/fly/state")["fly_machine"]
    world.store.put("fly_machine", running["id"], {**running, "state": "stopped"})
    assert ask(world, "/health") == 503
    world.store.put("fly_machine", running["id"], running)


def test_server_error_blocks_launch(record: Driven, declaration: Declaration, world: World) -> None:
    fail_once(world)
    world.clock.sleep(60)

    with pytest.raises(NotReady, match=r"healthy: 1 responses were a 5xx since .*waive one"):
        record.up(**declaration(HOLDS))


def test_earlier_server_error_is_ignored(record: Driven, declaration: Declaration, world: World) -> None:
    fail_once(world)
    world.clock.sleep(700)

    outputs = record.up(**declaration(HOLDS, verified_at=ago(600)))

    assert (outputs["server_errors"], outputs["watched_seconds"]) == (0, 584)


def test_waived_error_is_counted(record: Driven, declaration: Declaration, world: World) -> None:
    fail_once(world)
    healthy = {"key": "healthy", "evidence": "verified"}

    waiver = {"healthy": {"reason": "a deploy of the edge", "by": "Mara"}}
    outputs = record.up(**declaration(healthy, waivers=waiver))

    assert outputs["server_errors"] == 1


def test_unreadable_metrics_block_launch(record: Driven, declaration: Declaration, world: World) -> None:
    refusal = {
        "kind": "refuse",
        "service": "fly_platform",
        "path": "/prometheus",
        "status": 403,
        "body": {"error": "no"},
    }
    control(world, "POST", "/faults", refusal)

    with pytest.raises(NotReady, match="healthy: the number of server errors is unknown: Fly refused"):
        record.up(**declaration(HOLDS))


def test_earlier_record_is_kept(record: Driven, declaration: Declaration) -> None:
    declared = record.up(**declaration(HOLDS))

    record.up(label="v0")

    assert record.steps == ["create", "same"]
    assert record.outputs == declared
    assert record.up(label="v0", withdrawn="rows were lost")["withdrawn"] == "rows were lost"
    with pytest.raises(Refused, match="v1 was never declared launched by this stack"):
        record.up(label="v1")


def test_crashed_machine_blocks_launch(record: Driven, declaration: Declaration, world: World) -> None:
    (running,) = control(world, "GET", "/fly/state")["fly_machine"]
    crash = {
        "type": "exit",
        "timestamp": running["events"][0]["timestamp"],
        "request": {"exit_event": {"exit_code": 137, "oom_killed": True}},
    }
    world.store.put("fly_machine", running["id"], {**running, "events": [crash, *running["events"]]})
    with pytest.raises(
        NotReady, match=r"healthy: the machine has crashed since it was deployed .killed for using too much"
    ):
        record.up(**declaration(HOLDS))

    world.store.delete("fly_machine", running["id"])
    with pytest.raises(NotReady, match=r"healthy: machine .* does not exist"):
        record.up(**declaration(HOLDS))
