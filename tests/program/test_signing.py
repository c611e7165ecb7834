"""What builds are signed with, in the whole program: on both engines, with the state that they write."""

import json
from pathlib import Path

import httpx
import pytest

from rehearsal.people import People
from tests.program.stack import Stack, appstore

pytestmark = pytest.mark.usefixtures("people")


def stored(folder: Path) -> str:
    """All that the engine has written about the stack."""
    return "\n".join(path.read_text() for path in (folder / "state").rglob("*.json"))


def test_a_certificate_is_renewed_with_its_profile_and_nothing_is_readable_in_the_state(
    stack: Stack, addresses: dict[str, str], people: People, tmp_path: Path
) -> None:
    settings = f"{addresses['control']}/appstore/settings"
    httpx.post(settings, json={"certificate_days": 20}).raise_for_status()
    assert stack.run("up") == 0, stack.text
    people.install("1.0.0", "0")
    (first,) = appstore(addresses)["certificates"]
    (before,) = appstore(addresses)["profiles"]
    httpx.post(settings, json={"certificate_days": 365}).raise_for_status()

    assert stack.run("up") == 0, stack.text
    kept, renewed = sorted(appstore(addresses)["certificates"], key=lambda each: str(each["expirationDate"]))
    (after,) = appstore(addresses)["profiles"]
    assert kept["id"] == first["id"]
    assert after["links"]["certificates"] == [renewed["id"]]
    assert after["name"] != before["name"]

    assert stack.run("up", "--expect-no-changes") == 0, stack.text
    state = stored(tmp_path)
    assert renewed["serialNumber"] in state
    assert "PRIVATE KEY" not in state
    assert json.dumps(after["profileContent"]) not in state
    assert "PRIVATE KEY" not in stack.text
