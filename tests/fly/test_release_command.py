"""The release command: a temporary machine before the update, of which nothing is left."""

from typing import Any

import pytest

from harness.driver import Driven
from providers import engine
from providers.errors import ProviderError
from providers.fly.release_command import MACHINE, ReleaseCommandProvider
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.conftest import APP, Configured, push

CONFIG: dict[str, Any] = {
    "init": {"cmd": ["bin/migrate"]},
    "env": {"RELEASE_COMMAND": "1", "FLY_PROCESS_GROUP": "fly_app_release_command"},
    "restart": {"policy": "no"},
    "auto_destroy": True,
    "dns": {"skip_registration": True},
    "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512},
    "metadata": {"fly_platform_version": "v2", "fly_process_group": "fly_app_release_command"},
}


@pytest.fixture
def arguments(app: Driven, configured: Configured, world: World) -> dict[str, Any]:
    secrets = Driven(configured(SecretsProvider)).up(app=APP["name"], values={"SESSION_SECRET": "one"})
    return {
        "app": APP["name"],
        "region": "sjc",
        "command": "bin/migrate",
        "config": CONFIG,
        "image": push(world, "1.0.0"),
        "secrets_version": secrets["version"],
        "release": "one",
        "seconds": 20.0,
    }


@pytest.fixture
def command(configured: Configured) -> Driven:
    return Driven(configured(ReleaseCommandProvider))


def created(world: World) -> list[dict[str, Any]]:
    """The machines that were created, as they were sent."""
    return [
        entry["body"]
        for entry in world.journal.entries("fly")
        if (entry["method"], entry["path"]) == ("POST", "/v1/apps/solos-prod/machines")
    ]


def living(world: World) -> list[dict[str, Any]]:
    return [machine for machine in world.store.all("fly_machine") if machine["state"] != "destroyed"]


def test_runs_in_temporary_machine(command: Driven, arguments: dict[str, Any], world: World) -> None:
    command.up(**arguments)

    (machine,) = world.store.all("fly_machine")
    assert machine["name"] == MACHINE
    assert machine["config"]["init"] == {"cmd": ["bin/migrate"]}
    assert machine["config"]["image"] == arguments["image"]
    assert "mounts" not in machine["config"]
    assert machine["_secrets"] == {"SESSION_SECRET": "one"}
    assert living(world) == []
    assert command.outputs["finished_at"].startswith("2026-")


def test_log_lines_are_shown(command: Driven, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(engine, "note", shown.append)

    command.up(**arguments)

    assert len([line for line in shown if "migrated: 42 migrations" in line]) == 1


def test_runs_again_for_next_release(command: Driven, arguments: dict[str, Any]) -> None:
    command.up(**arguments)

    command.up(**arguments)
    command.up(**{**arguments, "seconds": 600.0})
    command.up(**{**arguments, "release": "two"})

    assert command.steps == ["create", "same", "same", "update"]


def test_failure_is_reported(command: Driven, arguments: dict[str, Any], world: World) -> None:
    bad = push(world, "1.0.1", broken="release")

    with pytest.raises(ProviderError) as failed:
        command.up(**{**arguments, "image": bad})

    assert "failed (exit code 1), so the app was not updated: `bin/migrate`" in str(failed.value)
    assert "migration 42 failed: no such column" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert living(world) == []
    assert command.id == ""


def test_machine_that_does_not_start(command: Driven, arguments: dict[str, Any], world: World) -> None:
    with pytest.raises(ProviderError, match="its machine did not start"):
        command.up(**{**arguments, "image": push(world, "1.0.1", broken="launch")})

    assert living(world) == []


def test_slow_command_is_ended(command: Driven, arguments: dict[str, Any], world: World) -> None:
    """An image that ignores the command runs its server without end."""
    config = {**CONFIG, "env": {"DATABASE_PATH": "/data.db"}}

    with pytest.raises(ProviderError, match="was still running after 20 s and was ended"):
        command.up(**{**arguments, "config": config})

    assert living(world) == []


def test_lost_response_runs_it_once(command: Driven, arguments: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("lose_after", service="fly", method="POST", path="machines$"))

    command.up(**arguments)

    assert len(world.store.all("fly_machine")) == 1


def test_left_machine_is_destroyed(command: Driven, arguments: dict[str, Any], world: World) -> None:
    """A run that died has left a machine, in which the command hangs."""
    world.faults.arm(Fault("refuse", service="fly", method="DELETE", path="machines/", status=422, times=9))
    with pytest.raises(ProviderError):
        command.up(**{**arguments, "config": {**CONFIG, "env": {"DATABASE_PATH": "/data.db"}}})
    assert len(living(world)) == 1
    world.faults.clear()

    command.up(**arguments)

    assert living(world) == []
