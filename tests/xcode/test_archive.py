"""The archive script makes the IPA of the named commit, and leaves nothing behind, whichever way it ends."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.appstore.ipa import reader
from tests.xcode.mac import PASSWORD, UUID, Mac


@pytest.fixture
def mac(tmp_path: Path) -> Mac:
    return Mac(tmp_path)


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mac, str]:
    """One archive that went well, and what the script said, for all who look at it. The checkout is not clean."""
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
    raise AssertionError("it did not happen within half a minute")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_leaves_ipa_symbols_and_log_and_nothing_else(archived: tuple[Mac, str]) -> None:
    mac, _ = archived

    assert sorted(path.name for path in mac.out.iterdir()) == ["solmobile.dSYMs.zip", "solmobile.ipa", "solmobile.log"]
    assert reader.inspect(mac.out / "solmobile.ipa").bundle_id == "com.sollabs.solos"
    assert "** EXPORT SUCCEEDED **" in (mac.out / "solmobile.log").read_text()
    assert mac.left_over() == []


def test_each_step_is_told_when_it_begins(archived: tuple[Mac, str]) -> None:
    mac, output = archived

    assert output.splitlines() == [
        f"checking {mac.commit[:12]} out of {mac.checkout}",
        "importing the certificate and installing the profile",
        f"archiving Release; the log is {mac.out / 'solmobile.log'}",
        "exporting the IPA",
        f"made {mac.out / 'solmobile.ipa'}",
    ]


def test_the_build_finds_certificate_and_profile_where_xcode_looks(archived: tuple[Mac, str]) -> None:
    mac, _ = archived

    built = json.loads(mac.told("built")[0])
    (keychain,) = built["keychains"]
    assert len(keychain["identities"]) == 1
    assert keychain["partition"] == "apple-tool:,apple:,codesign:"
    assert [Path(path).name for path in built["profiles"]] == [f"{UUID}.mobileprovision"] * 2
    assert set(built["profiles"].values()) == {"0o600"}
    assert built["private files left"] == []


def test_no_secret_is_in_the_process_list_the_environment_or_the_log(archived: tuple[Mac, str]) -> None:
    mac, output = archived

    keychain = json.loads(mac.told("built")[0])["keychains"][0]
    environment = json.dumps(json.loads(mac.told("built")[0])["environment"])
    readable = "\n".join([*mac.told("arguments"), environment, output, (mac.out / "solmobile.log").read_text()])
    for secret in (PASSWORD, keychain["password"], mac.job()["p12"], mac.job()["profile"]):
        assert secret not in readable


def test_it_builds_what_was_committed_and_the_settings_of_the_stack(archived: tuple[Mac, str]) -> None:
    mac, _ = archived

    files = json.loads(mac.told("built")[0])["files"]
    assert files["Info.plist"] == "<plist/>"
    assert files["Config/Release.xcconfig"] == "PRODUCT_BUNDLE_IDENTIFIER = com.sollabs.solos\n"
    assert "notes.txt" not in files


def test_an_earlier_commit_of_main_can_be_built(mac: Mac) -> None:
    first = mac.commit
    mac.committed("Info.plist", "<plist>later</plist>")

    mac.archive(commit=first)

    assert json.loads(mac.told("built")[0])["files"]["Info.plist"] == "<plist/>"


def test_a_commit_that_is_not_on_main_is_refused(mac: Mac) -> None:
    mac.git("checkout", "--quiet", "-b", "feature")
    commit = mac.committed("Info.plist", "<plist>unreviewed</plist>")

    status, output = mac.archive(commit=commit)

    assert status == 1
    assert f"\nerror: commit {commit} is not on main: merge it" in output
    assert mac.left_over() == []


def test_an_unknown_commit_is_refused_with_the_way_to_get_it(mac: Mac) -> None:
    status, output = mac.archive(commit="0123456789")

    assert status == 1
    assert output.endswith(
        f"\nerror: {mac.checkout} has no commit 0123456789: `git -C {mac.checkout} fetch`, then run up again\n"
    )


def test_a_build_that_fails_shows_the_end_of_its_log_and_cleans_up(mac: Mac) -> None:
    mac.behave("fail")

    status, output = mac.archive()

    assert status == 1
    assert "xcodebuild archive ended with status 65" in output
    assert "error: cannot find 'Day' in scope" in output
    assert "Traceback" not in output
    assert mac.left_over() == []


def test_a_certificate_that_is_not_trusted_says_what_to_install(mac: Mac) -> None:
    (mac.folder / "mac" / "untrusted").touch()

    status, output = mac.archive()

    assert status == 1
    assert "install Apple's intermediate certificate (WWDR)" in output
    assert mac.left_over() == []


def test_a_p12_that_is_not_imported_is_noticed(mac: Mac) -> None:
    status, output = mac.archive(p12_password="another")

    assert status == 1
    assert "has not imported the distribution certificate" in output
    assert mac.left_over() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_cleans_up_when_it_is_told_to_stop(mac: Mac, number: int) -> None:
    mac.behave("hang")
    process = mac.start(mac.job())
    wait_for(lambda: mac.told("pid"))

    process.send_signal(number)

    output, _ = process.communicate()
    assert process.returncode == 1
    assert output.endswith(f"\nerror: stopped by signal {int(number)}\n")
    assert mac.left_over() == []
    wait_for(lambda: not is_alive(int(mac.told("pid")[0])))


def test_it_ends_and_cleans_up_when_the_shell_that_started_it_is_killed(mac: Mac) -> None:
    """The first Ctrl-C of an `up` kills the shell of a command at once, and nothing else."""
    mac.behave("hang")
    shell = mac.start(mac.job(), before=["sh", "-c", '"$@"; exit $?', "sh"])
    wait_for(lambda: mac.told("pid"))

    shell.kill()
    output, _ = shell.communicate()

    assert output.endswith("\nerror: the launch was interrupted, and the archive with it\n")
    assert mac.left_over() == []
    wait_for(lambda: not is_alive(int(mac.told("pid")[0])))


def test_what_a_killed_run_left_is_removed_by_the_next(mac: Mac) -> None:
    mac.behave("hang")
    process = mac.start(mac.job())
    wait_for(lambda: mac.told("pid"))
    process.kill()
    process.communicate()
    os.kill(int(mac.told("pid")[0]), signal.SIGKILL)
    assert mac.left_over() != []

    mac.behave("")
    status, output = mac.archive()

    assert status == 0, output
    assert mac.left_over() == []


def test_a_profile_of_the_users_own_stays(mac: Mac) -> None:
    own = mac.home / "Library/MobileDevice/Provisioning Profiles" / f"{UUID}.mobileprovision"
    own.parent.mkdir(parents=True)
    own.write_text("downloaded by Xcode")

    mac.archive()

    assert mac.left_over() == [str(own)]
    assert own.read_text() == "downloaded by Xcode"


def test_without_xcode_it_says_where_an_archive_is_made(mac: Mac) -> None:
    (mac.folder / "bin" / "xcodebuild").unlink()

    status, output = mac.archive()

    assert status == 1
    assert output.startswith("error: xcodebuild missing: an archive is made on macOS with Xcode")
