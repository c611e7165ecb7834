"""Machines of the double: lifecycle, leases and refusals that providers rely on."""

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
