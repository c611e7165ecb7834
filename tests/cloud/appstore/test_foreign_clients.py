"""Clients that others wrote for the real App Store Connect work with the double. Each sees what the other and our providers made."""

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
from rehearsal.standins import ipa as standin
from tests.appstore.signing import request
from tests.appstore.test_conformance import first_up

HERE = Path(__file__).parent
CLIENTS = Path(__file__).parents[3] / ".tools" / "clients"
CODEMAGIC = CLIENTS / "codemagic" / "bin" / "python"
SDK = CLIENTS / "node" / "node_modules" / "appstore-connect-sdk"
AT_ONCE = Delays(
    profile_too_early=0,
    beta_detail=0,
    membership_shown=0,
    testing_shown=0,
    upload_processing=0,
    build_visible=0,
    build_processing=0,
    group_too_early=0,
)


@pytest.fixture
def launched(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> World:
    """A build that testers have, made by our providers. The clock stands at the real time, where the clients are."""
    world.clock.sleep(time.time() - world.clock.now())
    first_up(world, configured, tmp_path)
    world.delays = AT_ONCE
    return world


class Client:
    """Runs the scripts of foreign clients against the doubles, each with a launch of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.key, self.request = folder / "key.p8", folder / "request.pem"
        self.key.write_text(asc_private_key(), encoding="utf-8")
        self.request.write_text(request(), encoding="utf-8")
        unanswered = ("ITSAppUsesNonExemptEncryption",)
        self.ipa = standin.write(
            folder / "sdk.ipa", bundle_id=BUNDLE_ID, version="1.0.0", build="0.1", without=unanswered
        )

    def codemagic(self) -> Any:
        """What codemagic-cli-tools does and sees (https://github.com/codemagic-ci-cd/cli-tools). It has no calls for testers and uploads."""
        _require(CODEMAGIC, "codemagic-cli-tools")
        return self._run(str(CODEMAGIC), str(HERE / "codemagic_launch.py"))

    def sdk(self) -> Any:
        """What appstore-connect-sdk does and sees (https://github.com/isaced/appstore-connect-sdk)."""
        _require(SDK, "appstore-connect-sdk")
        return self._run("node", str(HERE / "sdk_launch.mjs"), str(SDK.parent.resolve()), ipa=str(self.ipa))

    def _run(self, *command: str, ipa: str = "") -> Any:
        listeners = Listeners(self.world)
        try:
            given = (self.world.addresses["appstore"], ASC_KEY_ID, ASC_ISSUER_ID, str(self.key), str(self.request))
            arguments = [*command, *given, *filter(None, [ipa])]
            done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120)
        finally:
            listeners.stop()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _require(path: Path, name: str) -> None:
    if not path.exists():
        pytest.skip(f"NOT TESTED: not installed here: {name} (`make foreign-clients` installs it)")


def test_codemagic(launched: World, tmp_path: Path) -> None:
    report = Client(launched, tmp_path).codemagic()

    assert {name: result for name, result in report["results"].items() if result != "ok"} == {}
    assert len(report["results"]) > 30
    assert BUNDLE_ID in report["seen"]["bundleIds"], "it has deleted its own one, and left ours"


def test_each_sees_the_other(launched: World, tmp_path: Path) -> None:
    """The SDK does every call of a launch, with answers that pass its validators."""
    client = Client(launched, tmp_path)

    sdk, codemagic = client.sdk(), client.codemagic()

    assert {name: result for name, result in sdk["results"].items() if result != "ok"} == {}
    assert len(sdk["results"]) > 40
    assert {"com.example.sdk", "com.example.codemagic", BUNDLE_ID} <= set(codemagic["seen"]["bundleIds"])
    assert codemagic["seen"]["groups"] == ["Internal Testers", "Sdk testers"]
    assert codemagic["seen"]["builds"] == ["0", "0.1"]
