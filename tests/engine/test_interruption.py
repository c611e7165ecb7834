"""Runs that are interrupted once, twice, or killed: pending operations are recorded, and the next run continues."""

import json
import shutil
import signal
import subprocess

import pytest

from tests.engine.conftest import Things
from tests.processes import descendants, is_alive, wait_until

UP = ("up", "--yes", "--skip-preview")


def pending(things: Things) -> list[str]:
    """Names of the pending creations in the state."""
    state = json.loads((things.folder / "state/.pulumi/stacks/things/dev.json").read_text())
    operations = state["checkpoint"]["latest"].get("pending_operations") or []
    return [
        operation["resource"]["urn"].rpartition("::")[2] for operation in operations if operation["type"] == "creating"
    ]


def repair(things: Things) -> None:
    """If the CLI was killed while it wrote its state: what the runbook says about a half-done deployment."""
    state = things.folder / "state/.pulumi/stacks/things/dev.json"
    attributes = state.with_name("dev.json.attrs")
    if attributes.exists() and not attributes.read_text().strip().endswith("}"):
        attributes.unlink()
    try:
        json.loads(state.read_text())
    except ValueError:
        shutil.copy(state.with_name("dev.json.bak"), state)


def interrupt(run: subprocess.Popen[str]) -> None:
    """The first Ctrl-C; returns once the engine has said so."""
    run.send_signal(signal.SIGINT)
    assert run.stdout is not None
    while "again" not in run.stdout.readline():
        assert run.poll() is None


@pytest.fixture
def run(things: Things) -> subprocess.Popen[str]:
    """An `up` that is creating `first`, which takes a minute, or until its file is removed."""
    (things.world / "slow-first").write_text("60")
    run = things.start(*UP)
    things.until_called("create first")
    return run


@pytest.mark.usefixtures("cold_python")
def test_ctrl_c(things: Things, run: subprocess.Popen[str]) -> None:
    """The first Ctrl-C lets running steps finish and starts no others."""
    interrupt(run)
    (things.world / "slow-first").unlink()
    text, _ = run.communicate()

    assert run.returncode == 1, text
    assert "first" in things.state()
    assert "second" not in things.state()
    assert pending(things) == []
    things.calls()
    assert things.up() == 0, things.text
    assert "create first" not in things.calls()
    assert "second" in things.state()


def test_ctrl_c_twice(things: Things, run: subprocess.Popen[str]) -> None:
    """The second Ctrl-C exits at once; the next `up` creates the object again."""
    interrupt(run)
    run.send_signal(signal.SIGINT)
    run.communicate()

    assert run.returncode == 8
    assert "first" in pending(things)
    (things.world / "slow-first").unlink()
    assert things.up() == 0, things.text
    assert {"first", "second"} <= things.state().keys()


def test_killed_run(things: Things, run: subprocess.Popen[str]) -> None:
    """The next `up` names the pending operation and continues."""
    run.kill()
    run.communicate()
    repair(things)

    assert "first" in pending(things)
    (things.world / "slow-first").unlink()
    if things.engine == "pulumi":  # the CLI keeps the lock of a dead process, the embedded engine does not
        assert things.up() != 0
        assert "pulumi cancel" in things.text
        subprocess.run(things.command("cancel", "--yes"), check=True, capture_output=True)
    assert things.up() == 0, things.text
    assert "first" in things.text
    assert {"first", "second"} <= things.state().keys()
    assert things.state()["first"]["id"] in things.objects()


def test_lock(things: Things, run: subprocess.Popen[str]) -> None:
    """A second run on a locked stack is refused."""
    assert things.up() != 0

    assert "lock" in things.text
    (things.world / "slow-first").unlink()
    text, _ = run.communicate()
    assert run.returncode == 0, text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_provider_ends_in_step(things: Things, run: subprocess.Popen[str], number: signal.Signals) -> None:
    """The step would go on for a minute, and nobody would record it."""
    assert_provider_ends(run, number)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_provider_ends_between_steps(things: Things, number: signal.Signals) -> None:
    """The program is waiting."""
    run = things.start(*UP, plan={"pause": 60})
    things.until_called("create second")

    assert_provider_ends(run, number)


def assert_provider_ends(run: subprocess.Popen[str], number: signal.Signals) -> None:
    """After this signal to the engine."""
    providers = [pid for pid, command in descendants(run.pid).items() if "-m pulumi.dynamic" in command]
    assert providers

    run.send_signal(number)
    run.communicate()

    wait_until(lambda: not any(is_alive(pid) for pid in providers))
