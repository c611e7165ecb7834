"""Machines of the double: lifecycle, leases and refusals that providers rely on."""

import queue
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.inprocess import FLY_TOKEN, Doubles, control
from rehearsal.cloud.world import World

IMAGE = "registry.fly.io/solserver:1.0.0"
CHECK = {"type": "http", "port": 8080, "path": "/health", "interval": "15s", "timeout": "2s"}
CONFIG: dict[str, Any] = {
    "image": IMAGE,
    "env": {"DATABASE_PATH": "/solos.db"},
    "services": [{"protocol": "tcp", "internal_port": 8080, "checks": [CHECK]}],
}


@pytest.fixture
def fly(world: World) -> httpx.Client:
    client = httpx.Client(
        transport=Doubles(world), base_url="http://fly.test/v1", headers={"Authorization": f"Bearer {FLY_TOKEN}"}
    )
    control(world, "POST", "/fly/images", {"reference": IMAGE})
    client.post("/apps", json={"name": "solos-prod", "org_slug": "sol-labs"})
    world.clock.sleep(5)
    return client


def make(fly: httpx.Client, world: World, **changes: Any) -> str:
    response = fly.post("/apps/solos-prod/machines", json={"region": "sjc", "config": {**CONFIG, **changes}})
    assert response.is_success, response.text
    world.clock.sleep(3)
    return str(response.json()["id"])


def test_machine_starts(fly: httpx.Client, world: World) -> None:
    """A new machine starts, and its health check passes."""
    id = make(fly, world)

    waited = fly.get(f"/apps/solos-prod/machines/{id}/wait", params={"state": "started", "timeout": 10})
    world.clock.sleep(3)
    machine = fly.get(f"/apps/solos-prod/machines/{id}").json()

    assert waited.is_success, waited.text
    assert machine["state"] == "started"
    assert [check["status"] for check in machine["checks"]] == ["passing"]


def test_update_is_new_version(fly: httpx.Client, world: World) -> None:
    id = make(fly, world)
    before = fly.get(f"/apps/solos-prod/machines/{id}").json()["instance_id"]
    world.clock.sleep(3)

    updated = fly.post(
        f"/apps/solos-prod/machines/{id}", json={"config": {**CONFIG, "env": {**CONFIG["env"], "LOG_LEVEL": "debug"}}}
    )
    version = updated.json()["instance_id"]
    waited = fly.get(f"/apps/solos-prod/machines/{id}/wait", params={"version": version, "timeout": 30})

    assert waited.is_success, waited.text
    assert version != before
    assert fly.get(f"/apps/solos-prod/machines/{id}").json()["config"]["env"]["LOG_LEVEL"] == "debug"


def test_lease_guards_machine(fly: httpx.Client, world: World) -> None:
    """Only the holder of a lease can change the machine."""
    id = make(fly, world)
    nonce = fly.post(f"/apps/solos-prod/machines/{id}/lease", params={"ttl": 30}).json()["data"]["nonce"]
    world.clock.sleep(3)

    refused = fly.post(f"/apps/solos-prod/machines/{id}/stop")
    world.clock.sleep(3)
    done = fly.post(f"/apps/solos-prod/machines/{id}/stop", headers={"fly-machine-lease-nonce": nonce})

    assert refused.status_code == 409
    assert "lease currently held" in refused.json()["error"]
    assert done.is_success


def test_lease_expires(fly: httpx.Client, world: World) -> None:
    id = make(fly, world)
    fly.post(f"/apps/solos-prod/machines/{id}/lease", params={"ttl": 30})

    world.clock.sleep(31)

    assert fly.post(f"/apps/solos-prod/machines/{id}/stop").is_success


def test_volume_has_one_machine(fly: httpx.Client, world: World) -> None:
    volume = fly.post("/apps/solos-prod/volumes", json={"name": "data", "region": "sjc", "size_gb": 1}).json()["id"]
    mounts = [{"volume": volume, "path": "/data"}]
    make(fly, world, mounts=mounts)

    second = fly.post("/apps/solos-prod/machines", json={"region": "sjc", "config": {**CONFIG, "mounts": mounts}})

    assert second.status_code == 412
    assert "already attached" in second.json()["error"]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({**CONFIG, "image": "registry.fly.io/solserver:9.9.9"}, "MANIFEST_UNKNOWN"),
        ({**CONFIG, "imagee": IMAGE}, 'unknown field "config.imagee"'),
        ({**CONFIG, "env": {"PORT": 8080}}, "cannot unmarshal number"),
        ({**CONFIG, "guest": {"memory_mb": 100}}, "memory_mb"),
    ],
)
def test_invalid_config_is_refused(fly: httpx.Client, world: World, config: dict[str, Any], text: str) -> None:
    """An invalid config creates no machine."""
    refused = fly.post("/apps/solos-prod/machines", json={"region": "sjc", "config": config})

    assert refused.status_code == 400
    assert text in refused.json()["error"]
    assert world.store.all("fly_machine") == []


def test_settled_machine(fly: httpx.Client, world: World) -> None:
    """A machine that is stopped or started has settled; one that starts has not."""
    id = make(fly, world)
    path = f"/apps/solos-prod/machines/{id}"
    world.delays = replace(world.delays, machine_start=20.0)

    fly.post(f"{path}/restart")
    too_early = fly.get(f"{path}/wait", params={"state": "settled", "timeout": 1})
    settled = fly.get(f"{path}/wait", params={"state": ["settled", "failed"], "timeout": 60})
    stopped = fly.get(f"{path}/wait", params={"state": "stopped", "timeout": 1})

    assert (too_early.status_code, settled.json()["state"]) == (408, "started")
    assert "instance_id is required" in stopped.json()["error"]


@pytest.mark.parametrize("is_routed", [True, False])
def test_proxy_during_update(fly: httpx.Client, world: World, *, is_routed: bool) -> None:
    """The previous version runs until it gets its signal. Whether users reach it until then is not documented."""
    world.delays = replace(world.delays, machine_start=20.0, routed_until_signalled=is_routed)
    id = make(fly, world)
    world.clock.sleep(30)
    fly.post("/apps/solos-prod/ip_assignments", json={"type": "v6"})
    users = httpx.Client(transport=Doubles(world), base_url="http://proxy.test", headers={"Host": "solos-prod.fly.dev"})

    fly.post(f"/apps/solos-prod/machines/{id}", json={"config": {**CONFIG, "env": {"DATABASE_PATH": "/other.db"}}})
    statuses = []
    for seconds in (9, 3, 30):
        world.clock.sleep(seconds)
        statuses.append(users.get("/health").status_code)

    assert statuses == ([200, 503, 200] if is_routed else [503, 503, 200])


@pytest.mark.parametrize("body", [{"command": ["python3", "-c", "print(2)"]}, {"cmd": "python3 -c 'print(2)'"}])
def test_command_in_machine(fly: httpx.Client, world: World, body: dict[str, Any]) -> None:
    """`cmd` is the older form."""
    done = fly.post(f"/apps/solos-prod/machines/{make(fly, world)}/exec", json=body)

    assert done.json() == {"exit_code": 0, "exit_signal": 0, "stdout": "2\n", "stderr": ""}


def test_long_command_is_cut(fly: httpx.Client, world: World) -> None:
    world.delays = replace(world.delays, exec_cut=0.05)
    body = {"command": ["python3", "-c", "import time; time.sleep(9)"], "timeout": 60}

    cut = fly.post(f"/apps/solos-prod/machines/{make(fly, world)}/exec", json=body)

    assert (cut.status_code, "deadline_exceeded" in cut.json()["error"]) == (408, True)


def test_processes_of_machine(fly: httpx.Client, world: World) -> None:
    """`fly deploy` reads them, and warns if the app does not listen on all addresses."""
    (process,) = fly.get(f"/apps/solos-prod/machines/{make(fly, world)}/ps").json()

    assert process["listen_sockets"] == [{"proto": "tcp", "address": "0.0.0.0:8080"}]


def test_nested_metadata_of_release(fly: httpx.Client, world: World) -> None:
    """Flyctl ends a release with an object as metadata."""
    web = httpx.Client(transport=Doubles(world), base_url="http://fly-platform.test", headers=fly.headers)
    record = {"app_name": "solos-prod", "image": IMAGE, "strategy": "ROLLING", "definition": {}, "build_id": 0}
    id = web.post("/api/v1/releases", json=record).json()["release"]["id"]

    ended = web.patch(
        f"/api/v1/releases/{id}",
        json={"status": "complete", "metadata": {"post_deployment_info": {"flyctl_version": "0.4.87", "error": ""}}},
    )

    assert ended.json()["status"] == "complete"


def test_closed_while_machines_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is closed only when the thread that reads the machines has ended."""
    world = World(tmp_path / "world")
    reading, closed, read_too_late = threading.Event(), threading.Event(), queue.Queue[bool]()
    close = world.store.close

    def read_slowly(kind: str) -> list[Any]:
        reading.set()
        read_too_late.put(closed.wait(0.5))
        return []

    def close_store() -> None:
        close()
        closed.set()

    monkeypatch.setattr(world.store, "all", read_slowly)
    monkeypatch.setattr(world.store, "close", close_store)
    reading.wait()

    world.close()

    assert not read_too_late.get()
