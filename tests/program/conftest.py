"""Doubles in a process of their own, the people of a rehearsal, and a stack against them: new, or with a finished launch in it."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness import program as programs
from harness.program import IMAGE, Stack, doubles
from rehearsal.people import People
from tests.needs import needs


@pytest.fixture(scope="session", params=["embedded", pytest.param("pulumi", marks=needs("pulumi"))])
def engine(request: pytest.FixtureRequest) -> str:
    """Each test runs on the embedded engine, and on the real one where it is installed."""
    return str(request.param)


@pytest.fixture
def addresses(tmp_path: Path, engine: str) -> Iterator[dict[str, str]]:
    """The doubles, by name, with the release's image in the registry."""
    with doubles(tmp_path) as addresses:
        _push(addresses, IMAGE)
        yield addresses


@pytest.fixture
def stack(tmp_path: Path, addresses: dict[str, str], engine: str) -> Stack:
    return Stack(tmp_path, addresses, engine)


@pytest.fixture
def people(stack: Stack, addresses: dict[str, str]) -> Iterator[People]:
    """The account holder and the testers, who do their part while the test runs."""
    with programs.people(stack, addresses) as people:
        yield people


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    """The folder of a stack whose testers have the build, and of its world; to be copied. Made once for all processes."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / f"launched-{engine}"
    with (shared / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "addresses.json").exists():
            folder.mkdir()
            addresses = _launch(folder, engine)
            (folder / "addresses.json").write_text(json.dumps(addresses))
    return folder


def _launch(folder: Path, engine: str) -> dict[str, str]:
    with doubles(folder) as addresses:
        _push(addresses, IMAGE)
        stack = Stack(folder, addresses, engine)
        stack.configure(database={"kind": "sqlite", "restoreDrill": "false"})
        with programs.people(stack, addresses) as people:
            assert stack.run("up", "--skip-preview") == 0, stack.text
            people.install("1.0.0", "0")
        assert stack.run("up", "--skip-preview") == 0, stack.text
    return addresses


@pytest.fixture
def running(launched: Path, tmp_path: Path, engine: str) -> Iterator[tuple[Stack, dict[str, str]]]:
    """A stack that is up, and the addresses of its doubles: a copy of the launched one, world and all."""
    folder = tmp_path / "running"
    shutil.copytree(launched, folder, symlinks=True)
    with doubles(folder) as addresses:
        _move(folder, json.loads((launched / "addresses.json").read_text()), addresses)
        yield Stack(folder, addresses, engine), addresses


def _move(folder: Path, before: dict[str, str], now: dict[str, str]) -> None:
    """Let the state name other doubles: refresh and destroy go by the endpoints of the last `up`."""
    moved = {before[name]: now[name] for name in before}
    state = folder / "state/.pulumi/stacks/solos/test.json"
    state.write_text(re.sub("|".join(moved), lambda found: moved[found[0]], state.read_text()))


def _push(addresses: dict[str, str], reference: str) -> None:
    httpx.post(f"{addresses['control']}/fly/images", json={"reference": reference}).raise_for_status()
