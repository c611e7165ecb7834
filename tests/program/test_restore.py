"""The restore that infra-docs/BACKUPS.md describes, as it is typed: the volume is lost, and its rows come back from the replica.

The one from a snapshot is the drill lost-volume.
"""

import shutil
import time
from typing import Any

import httpx
import pytest

from rehearsal.cloud.fly.programs import PLACES
from tests.program.stack import Stack, fly
from tests.program.watching import encrypted

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
    (app,) = (each["name"] for each in state["fly_app"])
    (machine,) = (each["id"] for each in state["fly_machine"] if each["name"] == "solserver")
    (volume,) = (each["id"] for each in state["fly_volume"] if each["name"] == "data")
    return app, machine, volume


def lose(addresses: dict[str, str], app: str, machine: str, volume: str) -> None:
    """The host dies, with the machine and its volume."""
    start = f"{addresses['fly']}/v1/apps/{app}"
    httpx.delete(f"{start}/machines/{machine}?force=true", headers=TOKEN).raise_for_status()
    while httpx.delete(f"{start}/volumes/{volume}", headers=TOKEN).status_code == 412:
        time.sleep(0.1)  # It is bound to the machine for a moment longer.


def test_a_lost_volume_comes_back_from_the_replica_off_site(stack: Stack, addresses: dict[str, str]) -> None:
    if shutil.which("litestream", path=PLACES) is None:
        pytest.skip("NOT TESTED: the restore from a replica; with Go here, `make monitoring-tools` builds litestream")
    given = {"BUCKET_NAME": "solos-backup", "AWS_ENDPOINT_URL_S3": addresses["bucket"]}
    given |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    stack.configure(secrets={name: encrypted(value) for name, value in given.items()})
    assert stack.run("up") == 0, stack.text
    app, machine, volume = found(addresses)
    written = [notes(addresses, app, f"day {number}") for number in range(5)][-1]

    lose(addresses, app, machine, volume)  # Asked to end, Litestream sends what it still has.
    assert stack.run("up", "--refresh") == 0, stack.text

    assert notes(addresses, app) == written
