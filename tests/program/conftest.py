"""Doubles in a process of their own, the people of a rehearsal, and a stack against them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rehearsal.people import AppForm, People
from tests.program.stack import IMAGE, ROOT, Stack, has_pulumi


@pytest.fixture(params=["embedded", "pulumi"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each test runs on the embedded engine, and on the real one where it is installed."""
    if request.param == "pulumi" and not has_pulumi():
        pytest.skip("NOT TESTED: the same on the real engine; `pulumi` is not on PATH")
    return str(request.param)


@pytest.fixture
def addresses(tmp_path: Path, engine: str) -> Iterator[dict[str, str]]:
    """The doubles, by name, with the release's image in the registry."""
    command = [sys.executable, "-m", "rehearsal", "serve", "--port", "0", "--data", str(tmp_path / "world")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as doubles:
        assert doubles.stdout is not None
        addresses: dict[str, str] = json.loads(doubles.stdout.readline())
        httpx.post(f"{addresses['control']}/fly/images", json={"reference": IMAGE}).raise_for_status()
        yield addresses
        doubles.terminate()


@pytest.fixture
def stack(tmp_path: Path, addresses: dict[str, str], engine: str) -> Stack:
    return Stack(tmp_path, addresses, engine)


@pytest.fixture
def people(stack: Stack, addresses: dict[str, str]) -> Iterator[People]:
    """The account holder and the testers, who do their part while the test runs."""
    config = stack.config
    form = AppForm(config["solos:bundleId"], config["solos:appName"], sku=config["solos:bundleId"])
    with People(addresses["control"], form, config["solos:testers"]) as people:
        yield people
