"""The restores from the replica that infra-docs/BACKUPS.md describes, as they are typed: volume lost, region lost, bad migration.

The one from a snapshot is the drill lost-volume.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from harness.program import Stack, encrypted, fly
from tests.needs import needs

TOKEN = {"Authorization": "Bearer fo1_rehearsal"}
pytestmark = pytest.mark.usefixtures("people")


def notes(addresses: dict[str, str], app: str, text: str | None = None) -> Any:
    """What a user sees of the app; with a text, after writing it."""
    address, host = f"{addresses['proxy']}/notes", {"Host": f"{app}.fly.dev"}
    if text is not None:
        httpx.post(address, json={"text": text}, headers=host).raise_for_status()
    return httpx.get(address, headers=host).json()


def found(addresses: dict[str, str]) -> tuple[str, str, str]:
    """The app, its machine and its volume."""
    state = fly(addresses)
    (app,) = (item["name"] for item in state["fly_app"])
    (machine,) = (item["id"] for item in state["fly_machine"] if item["name"] == "solserver")
    (volume,) = (item["id"] for item in state["fly_volume"] if item["name"] == "data")
    return app, machine, volume


def act(addresses: dict[str, str], app: str, machine: str, what: str) -> None:
    """`fly machine start` or `stop`."""
    path = f"{addresses['fly']}/v1/apps/{app}/machines/{machine}"
    version = httpx.get(path, headers=TOKEN).json()["instance_id"]
    httpx.post(f"{path}/{what}", headers=TOKEN, json={}).raise_for_status()
    state = {"stop": "stopped", "start": "started"}[what]
    httpx.get(
        f"{path}/wait?state={state}&instance_id={version}&timeout=30", headers=TOKEN, timeout=40
    ).raise_for_status()


def wait_until_healthy(addresses: dict[str, str], app: str) -> None:
    while httpx.get(f"{addresses['proxy']}/health", headers={"Host": f"{app}.fly.dev"}).status_code != 200:
        time.sleep(0.1)


def lose(addresses: dict[str, str], app: str, machine: str, volume: str) -> None:
    """The host dies, with the machine and its volume."""
    start = f"{addresses['fly']}/v1/apps/{app}"
    httpx.delete(f"{start}/machines/{machine}?force=true", headers=TOKEN).raise_for_status()
    while httpx.delete(f"{start}/volumes/{volume}", headers=TOKEN).status_code == 412:
        time.sleep(0.1)  # It is bound to the machine for a moment longer.


@pytest.fixture
def replicated(stack: Stack, addresses: dict[str, str]) -> Stack:
    """The stack, up, with its replica in a bucket."""
    given = {"BUCKET_NAME": "solos-backup", "AWS_ENDPOINT_URL_S3": addresses["bucket"]}
    given |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    stack.configure(secrets={name: encrypted(value) for name, value in given.items()})
    assert stack.run("up") == 0, stack.text
    return stack


@needs("litestream")
@pytest.mark.parametrize("region", ["sjc", "lax"], ids=["the-volume-is-lost", "the-region-is-lost"])
def test_restore_from_replica(replicated: Stack, addresses: dict[str, str], region: str) -> None:
    app, machine, volume = found(addresses)
    written = [notes(addresses, app, f"day {number}") for number in range(5)][-1]

    lose(addresses, app, machine, volume)  # Asked to end, Litestream sends what it still has.
    replicated.edit("fly.toml", 'primary_region = "sjc"', f'primary_region = "{region}"')
    replicated.give("FLY_LOST", volume if region == "sjc" else "sjc")
    assert replicated.run("up", "--refresh") == 0, replicated.text

    assert notes(addresses, app) == written
    assert [item["region"] for item in fly(addresses)["fly_machine"] if item["name"] == "solserver"] == [region]


@needs("litestream")
def test_restore_before_bad_migration(replicated: Stack, addresses: dict[str, str]) -> None:
    app, machine, _ = found(addresses)
    good = [notes(addresses, app, f"day {number}") for number in range(3)][-1]
    act(addresses, app, machine, "stop")  # Litestream sends what it still has.
    before = f"{datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"  # RESTORE_TO has whole seconds.
    time.sleep(2.1)
    act(addresses, app, machine, "start")
    wait_until_healthy(addresses, app)
    assert notes(addresses, app, "spoilt by the migration") != good

    replicated.edit("fly.toml", "[env]\n", f'[env]\n  RESTORE_TO = "{before}"\n')
    assert replicated.run("up") == 0, replicated.text

    assert notes(addresses, app) == good
    assert found(addresses)[1] == machine
