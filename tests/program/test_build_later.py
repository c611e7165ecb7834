"""A stack without an IPA: backend and identity first, the build with a later `up`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checklist.rows import examine
from harness.engine import StackInProcess
from harness.inprocess import new_world
from harness.program import CONFIG, IMAGE
from report.state import read

NO_BUILD = "no build yet: set `ipa` to the path of the IPA, then run `pulumi up`"
BUILT = {key: CONFIG[key] for key in ("ipa", "archive")}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackInProcess]:
    """A stack that no IPA is configured for, and Apple's form filled in."""
    stack = StackInProcess.new(tmp_path / "stack", new_world())
    stack.configure(ipa=None, archive=None, waitForAppRecord=None, protect="true")
    stack.control("POST", "/fly/images", {"reference": IMAGE})
    for tester in CONFIG["testers"]:
        stack.control("POST", "/appstore/users", tester)
    assert stack.run("up", "--skip-preview") != 0
    assert "there is no app with bundle ID" in stack.text
    form = {"bundleId": CONFIG["bundleId"], "name": CONFIG["appName"], "sku": "s", "primaryLocale": "en-US"}
    stack.control("POST", "/appstore/apps", form)
    stack.world.clock.sleep(60)
    yield stack
    stack.world.close()


def test_build_comes_later(stack: StackInProcess) -> None:
    """The first `up` ends with success and everything that a build needs; the next one, with the IPA, continues."""
    assert stack.run("up", "--skip-preview") == 0, stack.text

    made = [resource["type"].rpartition(":")[2] for resource in stack.resources()]
    assert {"Rollout", "Certificate", "Profile", "BetaTesters", "BetaAppLocalization"} <= {*made}
    assert not {"BuildUpload", "ProcessedBuild", "BuildDistribution", "Installations", "LaunchRecord"} & {*made}
    assert problems(stack)["uploaded"] == problems(stack)["smoke-test"] == NO_BUILD
    assert (stack.outputs()["build"], stack.outputs()["notInstalledBy"]) == ("no build yet", "no build yet")
    assert stack.run("up", "--expect-no-changes") == 0, stack.text

    stack.configure(**BUILT)
    assert stack.run("preview") == 0, stack.text
    assert "~ checks:Release" in stack.text
    assert stack.run("up", "--skip-preview") == 0, stack.text
    assert stack.outputs()["build"] == "1.0.0 (0)"
    assert not problems(stack)["uploaded"]


@pytest.mark.parametrize("protect", ["true", "false"])
def test_uploaded_build_is_kept(stack: StackInProcess, protect: str) -> None:
    """Also where nothing is protected. Once the IPA is set again, nothing has changed."""
    stack.configure(**BUILT, protect=protect)
    assert stack.run("up", "--skip-preview") == 0, stack.text

    stack.configure(ipa=None, archive=None)
    for command in ("preview", "up"):
        assert stack.run(command) != 0
        assert "set the config key ipa to the path of the IPA again" in stack.text
        assert "- appstore:BuildDistribution" not in stack.text

    stack.configure(**BUILT)
    assert stack.run("up", "--expect-no-changes") == 0, stack.text


def test_rejected_build_is_left_out(stack: StackInProcess) -> None:
    """Testers never had it. The stack goes on without a build, and the fixed one has a higher number."""
    stack.control("POST", "/appstore/reject", {"codes": {"90683": "Missing purpose string in Info.plist."}})
    stack.configure(**BUILT)
    assert stack.run("up", "--skip-preview") != 0
    assert "Apple rejected build 0 of 1.0.0" in stack.text

    stack.configure(ipa=None, archive=None)
    assert stack.run("up") == 0, stack.text
    assert problems(stack)["uploaded"] == NO_BUILD
    stack.configure(**BUILT, build="0.1")
    assert stack.run("up", "--skip-preview") == 0, stack.text

    assert stack.outputs()["build"] == "1.0.0 (0.1)"


def test_declaration_needs_a_build(stack: StackInProcess) -> None:
    stack.configure(declaredBy="Mara Lindqvist")

    assert stack.run("preview") != 0

    assert "solos:ipa: is empty, and `declaredBy` declares the launch of a build" in stack.text


def problems(stack: StackInProcess) -> dict[str, str]:
    """What is open, by row of the checklist."""
    state = read({"manifest": {}, "resources": stack.resources()})
    return {finding.row.key: finding.problem for finding in examine(state.known(datetime.now(UTC)), {})}
