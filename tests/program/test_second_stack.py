"""A second stack that claims what a first one has: after its state was lost, or beside production by mistake."""

from pathlib import Path
from typing import Any

from harness.program import Stack, fly
from tests.program.test_changes import app_of, held

Running = tuple[Stack, dict[str, str]]
ADOPTED = (
    "fly_app",
    "fly_machine",
    "fly_volume",
    "fly_ip",
    "fly_secrets",
    "bundleIds",
    "betaGroups",
    "betaAppLocalizations",
)


def beside(stack: Stack, addresses: dict[str, str], folder: Path, **changes: Any) -> Stack:
    """A stack with an empty state, whose app is the one that runs."""
    folder.mkdir()
    (folder / "world").symlink_to(stack.folder / "world")
    other = Stack(folder, addresses)
    database = {"kind": "sqlite", "restoreDrill": "false"}
    other.configure(app=app_of(addresses), uniqueNames="false", build="0.1", database=database, **changes)
    return other


def session_secret(addresses: dict[str, str]) -> str:
    (found,) = fly(addresses)["fly_secrets"]
    return str(found["now"]["SESSION_SECRET"]["value"])


def test_lost_state_adopts_everything(running: Running, tmp_path: Path) -> None:
    """Everything is adopted and named, nobody is signed out, and a destroy leaves what the first stack created."""
    stack, addresses = running
    before, secret = held(addresses), session_secret(addresses)
    other = beside(stack, addresses, tmp_path / "other")

    assert other.run("up") == 0, other.text
    for what in ("app solos-", "machine ", "volume vol_", "secret SESSION_SECRET", "tester group 'Internal Testers'"):
        assert f"adopts {what}" in other.text
    assert session_secret(addresses) == secret

    assert other.run("destroy") == 0, other.text
    after = held(addresses)
    assert {kind: after[kind] for kind in ADOPTED} == {kind: before[kind] for kind in ADOPTED}
    assert "it existed before this stack" in other.text


def test_second_database_is_refused(running: Running, tmp_path: Path) -> None:
    """Nothing is created: neither at Fly nor at Apple."""
    stack, addresses = running
    other = beside(stack, addresses, tmp_path / "other", machine="renamed")
    before = held(addresses)

    assert other.run("up") != 0

    assert "and this stack would create renamed next to it" in other.text
    assert held(addresses) == before
