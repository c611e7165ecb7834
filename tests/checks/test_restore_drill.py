"""The restore drill: the rows are counted in a volume restored from a snapshot."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.driver import Driven
from harness.inprocess import Doubles
from providers.checks import restore_drill
from providers.checks.restore_drill import MACHINE, VOLUME, NotRestorable, RestoreDrillProvider
from providers.errors import ProviderError
from providers.fly.image import ImageProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.conftest import arguments, machine

__all__ = ["arguments", "machine"]

Configured = Callable[[Any], Any]
PYTHON = "docker.io/library/python:3.13-alpine"


@pytest.fixture
def about(machine: Driven, configured: Configured) -> dict[str, Any]:
    """The arguments of a drill for the running machine."""
    image = Driven(configured(ImageProvider))
    image.up(reference=PYTHON)
    return {
        "app": "solos-prod",
        "volume_id": machine.inputs["volume_id"],
        "region": "sjc",
        "image": image.outputs["pinned"],
        "mount": "/data",
        "database": "/data/solos.db",
        "release": "1.0.0",
    }


def write_rows(world: World, count: int) -> None:
    """Notes that users wrote through the edge."""
    with httpx.Client(transport=Doubles(world), base_url="http://proxy.test") as users:
        for number in range(count):
            response = users.post("/notes", json={"text": f"day {number}"}, headers={"Host": "solos-prod.fly.dev"})
            assert response.status_code == 201


def left(world: World) -> list[str]:
    """The objects besides the app's own machine and volume."""
    machines = [machine["name"] for machine in world.store.all("fly_machine") if machine["state"] != "destroyed"]
    volumes = [volume["name"] for volume in world.store.all("fly_volume") if volume["_deleted_at"] is None]
    return [name for name in (*machines, *volumes) if name in (MACHINE, VOLUME)]


def test_rows_are_restored(world: World, configured: Configured, about: dict[str, Any]) -> None:
    write_rows(world, 7)
    drill = Driven(configured(RestoreDrillProvider))

    drill.up(**about)

    assert drill.outputs["rows"] == {"notes": 7}
    assert drill.outputs["snapshot_id"].startswith("vs_")
    assert left(world) == []


def test_compared_with_live_database(
    world: World, configured: Configured, about: dict[str, Any], machine: Driven
) -> None:
    write_rows(world, 3)
    drill = Driven(configured(RestoreDrillProvider))

    drill.up(**about, machine_id=machine.id)

    assert (drill.outputs["compared"], drill.outputs["rows"]) == (True, {"notes": 3})


@pytest.mark.parametrize(
    ("before", "restored", "after", "found"),
    [
        ({"notes": 3}, {"notes": 3}, {"notes": 3}, []),
        ({"notes": 3}, {"notes": 4}, {"notes": 5}, []),
        ({"notes": 3}, {"notes": 0}, {"notes": 3}, ["notes has 0, not 3"]),
        ({"notes": 5}, {"notes": 2}, {"notes": 3}, ["notes has 2, not 3 to 5"]),
        ({"notes": 3, "users": 1}, {"notes": 3}, {"notes": 3, "users": 1}, ["users has no table, not 1"]),
    ],
)
def test_differences(before: dict[str, int], restored: dict[str, int], after: dict[str, int], found: list[str]) -> None:
    """Restored rows are between those before and after the snapshot: users write meanwhile."""
    assert restore_drill._differences(before, restored, after) == found


@pytest.mark.parametrize("value", ["2026-11-27 09:00:00", "2026-11-27T09:00:00+00:00", 1795770000, 1795770000000])
def test_newest_row(tmp_path: Path, value: object) -> None:
    """The script finds the latest time, however it is written."""
    path, result = tmp_path / "database.sqlite3", tmp_path / "result.json"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE notes (id INTEGER, text, created_at)")
        database.execute("INSERT INTO notes VALUES (1, 'x', ?)", (value,))
    command = [sys.executable, "-c", restore_drill.COUNT, str(path), str(result)]
    subprocess.run(command, check=True)
    deadline = time.monotonic() + 10
    while not result.exists() and time.monotonic() < deadline:
        time.sleep(0.01)

    assert json.loads(result.read_text()) == {
        "integrity": "ok",
        "rows": {"notes": 1},
        "newest": "2026-11-27T09:00:00+00:00",
    }


def test_drill_machine_is_killed(world: World, configured: Configured, about: dict[str, Any]) -> None:
    before = len(world.journal.entries("fly"))

    Driven(configured(RestoreDrillProvider)).up(**about)

    made = [f"{entry['method']} {entry['path']}" for entry in world.journal.entries("fly")[before:]]
    last = made[max(at for at, call in enumerate(made) if call.endswith("/exec")) + 1 :]
    writes = [call.split()[0] for call in last if "/machines/" in call and not call.startswith("GET")]
    assert writes == ["POST", "DELETE"]
    assert not [call for call in last if call.endswith(("/stop", "/machines", "/volumes"))]


def test_rows_are_counted_in_background(world: World, configured: Configured, about: dict[str, Any]) -> None:
    """The first command only starts the count: Fly cuts a command at 30 s, and a large database takes longer."""
    Driven(configured(RestoreDrillProvider)).up(**about)

    printed = [entry["response"]["stdout"] for entry in world.journal.entries("fly") if entry["path"].endswith("/exec")]
    assert printed[0] == ""
    assert "integrity" in printed[-1]


def test_repeated_per_release(world: World, configured: Configured, about: dict[str, Any]) -> None:
    drill = Driven(configured(RestoreDrillProvider))
    drill.up(**about)
    before = len(world.journal.entries("fly"))
    drill.up(**about)
    assert len(world.journal.entries("fly")) == before

    write_rows(world, 2)
    drill.up(**{**about, "release": "1.0.1"})

    assert drill.steps == ["create", "same", "update"]
    assert drill.outputs["rows"] == {"notes": 2}


@pytest.mark.parametrize(
    ("path", "times"), [("/exec$", 1), ("/machines$", 9), ("/snapshots$", 9)], ids=["count", "machine", "snapshot"]
)
def test_leftovers_are_deleted(
    world: World, configured: Configured, about: dict[str, Any], path: str, times: int
) -> None:
    drill = Driven(configured(RestoreDrillProvider))
    world.faults.arm(Fault("refuse", service="fly", method="POST", path=path, status=422, times=times))
    with pytest.raises(ProviderError):
        drill.up(**about)
    world.faults.clear()

    drill.up(**about)

    assert drill.outputs["rows"] == {"notes": 0}
    assert left(world) == []


def test_damaged_database_is_reported(world: World, configured: Configured, about: dict[str, Any]) -> None:
    service: Any = world.services["fly"]
    disk = service.machines.disks.volume(about["volume_id"])
    for file in disk.glob("solos.db*"):
        file.unlink()
    (disk / "solos.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)

    with pytest.raises(NotRestorable, match="not a database"):
        Driven(configured(RestoreDrillProvider)).up(**about)

    assert left(world) == []
