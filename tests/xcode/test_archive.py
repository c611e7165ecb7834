"""The archive script builds the IPA of the configured commit, and always removes its temporary files."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.appstore.ipa import reader
from tests.xcode.mac import PASSWORD, SHARE_UUID, UUID, Mac

pytestmark = pytest.mark.usefixtures("cold_python")


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    return Mac(tmp_path)


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mac, str]:
    """A successful archive and the output of the script, shared by the tests of it. The checkout is not clean."""
    mac = Mac(tmp_path_factory.mktemp("mac"))
    (mac.checkout / "Info.plist").write_text("changed, and not committed")
    (mac.checkout / "notes.txt").write_text("not for the release")
    status, output = mac.archive()
    assert status == 0, output
    return mac, output


def wait_for(what: Callable[[], object]) -> None:
    for _ in range(600):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("not true within 30 seconds")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_output_files(archived: tuple[Mac, str]) -> None:
    mac, _ = archived

    assert sorted(path.name for path in mac.out.iterdir()) == ["solmobile.dSYMs.zip", "solmobile.ipa", "solmobile.log"]
    assert reader.inspect(mac.out / "solmobile.ipa").bundle_id == "com.sollabs.solos"
    assert "** EXPORT SUCCEEDED **" in (mac.out / "solmobile.log").read_text()
    assert mac.left_over() == []


def test_steps_are_printed(archived: tuple[Mac, str]) -> None:
    mac, output = archived

    assert output.splitlines() == [
        f"checking out {mac.commit[:12]} of {mac.checkout}",
        "importing the certificate and installing the profiles",
        f"archiving Release; the log is {mac.out / 'solmobile.log'}",
        "exporting the IPA",
        f"built {mac.out / 'solmobile.ipa'}",
    ]


def test_certificate_and_profile_installed(archived: tuple[Mac, str]) -> None:
    mac, _ = archived

    built = json.loads(mac.recorded("built")[0])
    (keychain,) = built["keychains"]
    assert len(keychain["identities"]) == 1
    assert keychain["partition"] == "apple-tool:,apple:,codesign:"
    installed = {f"{uuid}.mobileprovision" for uuid in (UUID, SHARE_UUID)}
    assert {Path(path).name for path in built["profiles"]} == installed
    assert len(built["profiles"]) == 4
    assert set(built["profiles"].values()) == {"0o600"}
    assert built["private files left"] == []


def test_secrets_are_not_readable(archived: tuple[Mac, str]) -> None:
    """No secret is in the process list, the environment, the output or the log."""
    mac, output = archived

    keychain = json.loads(mac.recorded("built")[0])["keychains"][0]
    environment = json.dumps(json.loads(mac.recorded("built")[0])["environment"])
    readable = "\n".join([*mac.recorded("arguments"), environment, output, (mac.out / "solmobile.log").read_text()])
    for secret in (PASSWORD, keychain["password"], mac.job()["p12"], mac.job()["profiles"][1][1]):
        assert secret not in readable


def test_builds_the_commit(archived: tuple[Mac, str]) -> None:
    """The build has the committed files and the stack's settings, without uncommitted changes."""
    mac, _ = archived

    files = json.loads(mac.recorded("built")[0])["files"]
    assert files["Info.plist"] == "<plist/>"
    assert files["Config/Release.xcconfig"] == "PRODUCT_BUNDLE_IDENTIFIER = com.sollabs.solos\n"
    assert "notes.txt" not in files


def test_earlier_commit_of_main(mac: Mac) -> None:
    first = mac.commit
    mac.committed("Info.plist", "<plist>later</plist>")

    mac.archive(commit=first)

    assert json.loads(mac.recorded("built")[0])["files"]["Info.plist"] == "<plist/>"


def test_commit_not_on_main(mac: Mac) -> None:
    mac.git("checkout", "--quiet", "-b", "feature")
    commit = mac.committed("Info.plist", "<plist>unreviewed</plist>")

    status, output = mac.archive(commit=commit)

    assert status == 1
    assert f"\nerror: commit {commit} is not on main: merge it" in output
    assert mac.left_over() == []


def test_unknown_commit(mac: Mac) -> None:
    status, output = mac.archive(commit="0123456789")

    assert status == 1
    assert output.endswith(
        f"\nerror: {mac.checkout} has no commit 0123456789: run `git -C {mac.checkout} fetch`, then `pulumi up`\n"
    )


def test_failed_build(mac: Mac) -> None:
    """The error has the end of the log, and everything temporary is removed."""
    mac.behave("fail")

    status, output = mac.archive()

    assert status == 1
    assert "xcodebuild archive failed with status 65" in output
    assert "error: cannot find 'Day' in scope" in output
    assert "Traceback" not in output
    assert mac.left_over() == []


def test_untrusted_certificate(mac: Mac) -> None:
    (mac.folder / "mac" / "untrusted").touch()

    status, output = mac.archive()

    assert status == 1
    assert "install Apple's intermediate certificate (WWDR)" in output
    assert mac.left_over() == []


def test_p12_not_imported(mac: Mac) -> None:
    status, output = mac.archive(p12_password="another")

    assert status == 1
    assert "did not import the distribution certificate" in output
    assert mac.left_over() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cleanup_after_signal(mac: Mac, number: int) -> None:
    mac.behave("hang")
    process = mac.start(mac.job())
    wait_for(lambda: mac.recorded("pid"))

    process.send_signal(number)

    output, _ = process.communicate()
    assert process.returncode == 1
    assert output.endswith(f"\nerror: stopped by signal {int(number)}\n")
    assert mac.left_over() == []
    wait_for(lambda: not is_alive(int(mac.recorded("pid")[0])))


def test_cleanup_after_parent_is_killed(mac: Mac) -> None:
    """The first Ctrl-C of an `up` kills only the shell that runs the command."""
    mac.behave("hang")
    shell = mac.start(mac.job(), before=["sh", "-c", '"$@"; exit $?', "sh"])
    wait_for(lambda: mac.recorded("pid"))

    shell.kill()
    output, _ = shell.communicate()

    assert output.endswith("\nerror: the launch was interrupted, so the archive was stopped\n")
    assert mac.left_over() == []
    wait_for(lambda: not is_alive(int(mac.recorded("pid")[0])))


def test_cleanup_after_killed_run(mac: Mac) -> None:
    mac.behave("hang")
    process = mac.start(mac.job())
    wait_for(lambda: mac.recorded("pid"))
    process.kill()
    process.communicate()
    os.kill(int(mac.recorded("pid")[0]), signal.SIGKILL)
    assert mac.left_over() != []

    mac.behave("")
    status, output = mac.archive()

    assert status == 0, output
    assert mac.left_over() == []


def test_keeps_existing_profile(mac: Mac) -> None:
    own = mac.home / "Library/MobileDevice/Provisioning Profiles" / f"{UUID}.mobileprovision"
    own.parent.mkdir(parents=True)
    own.write_text("downloaded by Xcode")

    mac.archive()

    assert mac.left_over() == [str(own)]
    assert own.read_text() == "downloaded by Xcode"


def test_without_xcode(mac: Mac) -> None:
    (mac.folder / "bin" / "xcodebuild").unlink()

    status, output = mac.archive()

    assert status == 1
    assert output.startswith("error: not installed: xcodebuild; archiving needs macOS with Xcode")
