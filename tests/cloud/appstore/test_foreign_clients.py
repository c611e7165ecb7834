"""Clients that others wrote for the real App Store Connect work with the double, and see what our providers made."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID
from harness.inprocess import ASC_ISSUER_ID, ASC_KEY_ID, asc_private_key
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.server import Listeners
from rehearsal.cloud.world import World
from tests.appstore.signing import request
from tests.appstore.test_conformance import first_up

HERE = Path(__file__).parent
CLIENTS = Path(__file__).parents[3] / ".tools" / "clients"
AT_ONCE = Delays(profile_too_early=0, beta_detail=0, membership_shown=0, testing_shown=0)


@pytest.fixture
def launched(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> World:
    """A build that testers have, made by our providers. The clock stands at the real time, where the clients are."""
    world.clock.sleep(time.time() - world.clock.now())
    first_up(world, configured, tmp_path)
    world.delays = AT_ONCE
    return world


def test_codemagic(launched: World, tmp_path: Path) -> None:
    """What a launch does, with codemagic-cli-tools (https://github.com/codemagic-ci-cd/cli-tools)."""
    python = CLIENTS / "codemagic" / "bin" / "python"
    if not python.exists():
        pytest.skip("NOT TESTED: not installed here: codemagic-cli-tools (`make foreign-clients` installs it)")
    (tmp_path / "key.p8").write_text(asc_private_key(), encoding="utf-8")
    (tmp_path / "request.pem").write_text(request(), encoding="utf-8")
    script, files = HERE / "codemagic_launch.py", [tmp_path / "key.p8", tmp_path / "request.pem"]

    listeners = Listeners(launched)
    try:
        command = [
            str(python),
            str(script),
            launched.addresses["appstore"],
            ASC_KEY_ID,
            ASC_ISSUER_ID,
            *map(str, files),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    finally:
        listeners.stop()

    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert {name: result for name, result in results.items() if result != "ok"} == {}
    assert len(results) > 30
    identifiers = [each["attributes"]["identifier"] for each in launched.store.all("appstore.bundleIds")]
    assert identifiers == [BUNDLE_ID], "it has deleted its own one, and left ours"


def test_appstore_connect_sdk(launched: World, tmp_path: Path) -> None:
    """Answers pass the validators of appstore-connect-sdk (https://github.com/isaced/appstore-connect-sdk)."""
    modules = CLIENTS / "node" / "node_modules"
    if not modules.exists():
        pytest.skip("NOT TESTED: not installed here: appstore-connect-sdk (`make foreign-clients` installs it)")
    (tmp_path / "key.p8").write_text(asc_private_key(), encoding="utf-8")
    given = [ASC_KEY_ID, ASC_ISSUER_ID, str(tmp_path / "key.p8")]

    listeners = Listeners(launched)
    try:
        command = ["node", str(HERE / "sdk_reads.mjs"), str(modules.resolve()), launched.addresses["appstore"], *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    finally:
        listeners.stop()

    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert {name: result for name, result in results.items() if result != "ok"} == {}
    assert len(results) > 15
