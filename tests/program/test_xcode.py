"""The files for Xcode, and the archive of a commit, in the whole program on both engines."""

import plistlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.testflight.xcode import BuildSpec, render_export_options, render_xcconfig
from harness.program import Stack, appstore
from providers.appstore.ipa import reader
from rehearsal.people import People
from tests.xcode.mac import Mac

BUILD = BuildSpec(
    bundle_id="com.sollabs.solos", version="1.0.0", build="0", api_key="API_BASE_URL", url="", ipa="build/solmobile.ipa"
)


@pytest.fixture
def mac(tmp_path: Path, stack: Stack) -> Mac:
    """A checkout from which the stack builds, and the programs of a Mac."""
    (tmp_path / "mac").mkdir()
    mac = Mac(tmp_path / "mac")
    (mac.checkout / "Config").mkdir()
    for name in ("PATH", "HOME", "MAC", "GIT_CONFIG_GLOBAL", "PYTHONPATH"):
        stack.give(name, mac.environment[name])
    stack.configure(
        archive=None,
        extensions={"Share": "PUSH_NOTIFICATIONS"},
        passEnvironment="MAC GIT_CONFIG_GLOBAL PYTHONPATH",
        ipa=str(mac.out / "solmobile.ipa"),
        xcode={
            "checkout": str(mac.checkout),
            "workspace": "SolMobile.xcworkspace",
            "scheme": "Release",
            "xcconfig": "Config/Release.xcconfig",
            "commit": mac.commit,
        },
    )
    return mac


def archives(mac: Mac) -> int:
    return sum(line.startswith("xcodebuild archive") for line in mac.recorded("arguments"))


def profiles(addresses: dict[str, str]) -> list[dict[str, Any]]:
    """The profiles of the app and of its extension, in that order."""
    state = appstore(addresses)
    names = {bundle_id["id"]: bundle_id["identifier"] for bundle_id in state["bundleIds"]}
    return sorted(state["profiles"], key=lambda profile: len(names[profile["links"]["bundleId"]]))


@pytest.mark.usefixtures("people")
def test_archives_commit_once(
    stack: Stack, addresses: dict[str, str], mac: Mac, people: People, tmp_path: Path
) -> None:
    settings = f"{addresses['control']}/appstore/settings"
    httpx.post(settings, json={"certificate_days": 20}).raise_for_status()

    assert stack.run("up") == 0, stack.text
    people.install("1.0.0", "0")
    url = stack.outputs()["url"]
    facts = reader.inspect(mac.out / "solmobile.ipa")
    xcconfig = mac.checkout / "Config" / "Release.xcconfig"
    (first,) = appstore(addresses)["certificates"]
    before, share = profiles(addresses)
    (extension,) = facts.nested
    assert facts.info["API_BASE_URL"] == url
    assert facts.profile is not None
    assert (facts.profile.name, facts.profile.uuid) == (before["name"], before["uuid"])
    assert extension.profile is not None
    assert (extension.bundle_id, extension.profile.uuid) == (f"{facts.bundle_id}.Share", share["uuid"])
    assert f"PROVISIONING_PROFILE_SPECIFIER_Share = {share['name']}\n" in xcconfig.read_text()
    assert f"API_BASE_URL = {url.replace('//', '/$()/')}\n" in xcconfig.read_text()
    assert f"PROVISIONING_PROFILE_SPECIFIER = {before['name']}\n" in xcconfig.read_text()
    assert mac.left_over() == []

    xcconfig.write_text("API_BASE_URL = http:/$()/localhost:8080\n")
    assert stack.run("refresh") == 0, stack.text
    assert "localhost:8080" in stack.text

    httpx.post(settings, json={"certificate_days": 365}).raise_for_status()
    assert stack.run("up") == 0, stack.text
    kept, renewed = sorted(
        appstore(addresses)["certificates"], key=lambda certificate: str(certificate["expirationDate"])
    )
    after, share = profiles(addresses)
    assert kept["id"] == first["id"]
    assert after["links"]["certificates"] == share["links"]["certificates"] == [renewed["id"]]
    assert f"PROVISIONING_PROFILE_SPECIFIER = {after['name']}\n" in xcconfig.read_text()
    assert archives(mac) == 1  # a renewed certificate does not need a new build
    assert len(appstore(addresses)["buildUploads"]) == 1

    assert stack.run("up", "--expect-no-changes") == 0, stack.text
    state = "\n".join(path.read_text() for path in (tmp_path / "state").rglob("*.json"))
    assert renewed["serialNumber"] in state
    for secret in ("PRIVATE KEY", 'p12_password\\"', after["profileContent"]):
        assert secret not in state
        assert secret not in stack.text

    (mac.out / "solmobile.ipa").unlink()
    stack.configure(xcode={**stack.config["solos:xcode"], "commit": "beef123"})
    assert stack.run("up") != 0
    assert f"build 0 of 1.0.0 is uploaded already, built from {mac.commit}" in stack.text
    stack.configure(xcode={**stack.config["solos:xcode"], "commit": mac.commit})
    mac.checkout.rename(tmp_path / "elsewhere")
    assert stack.run("up", "--expect-no-changes") == 0, stack.text
    assert archives(mac) == 1


def test_xcconfig_escapes_url() -> None:
    text = render_xcconfig(
        BUILD,
        url="https://solos-prod.fly.dev",
        team="TEAM",
        profile="SolOS App Store 1",
        extensions={"watchkitapp.tile": "SolOS App Store 2"},
        type="DISTRIBUTION",
    )

    assert "API_BASE_URL = https:/$()/solos-prod.fly.dev\n" in text
    assert "CODE_SIGN_IDENTITY = Apple Distribution\n" in text
    assert "PROVISIONING_PROFILE_SPECIFIER = SolOS App Store 1\n" in text
    assert "PROVISIONING_PROFILE_SPECIFIER_watchkitapp_tile = SolOS App Store 2\n" in text
    assert "CURRENT_PROJECT_VERSION = 0\n" in text


def test_export_keeps_build_number() -> None:
    extensions = {"Share": "SolOS App Store 2"}

    text = render_export_options(
        BUILD, team="TEAM", profile="SolOS App Store 1", extensions=extensions, type="IOS_DISTRIBUTION"
    )

    options = plistlib.loads(text.encode())
    assert options["manageAppVersionAndBuildNumber"] is False
    assert options["method"] == "app-store-connect"
    assert options["signingCertificate"] == "iPhone Distribution"
    assert options["provisioningProfiles"] == {
        "com.sollabs.solos": "SolOS App Store 1",
        "com.sollabs.solos.Share": "SolOS App Store 2",
    }
