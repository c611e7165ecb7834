"""Runs that are interrupted once, twice, or killed: pending operations are recorded, and the next run continues."""

import json
import signal
import subprocess

import pytest

from tests.engine.conftest import Things

pytestmark = pytest.mark.usefixtures("cold_python")
UP = ("up", "--yes", "--skip-preview")


def pending(things: Things) -> list[str]:
    """Names of the pending creations in the state."""
    state = json.loads((things.folder / "state/.pulumi/stacks/things/dev.json").read_text())
    operations = state["checkpoint"]["latest"].get("pending_operations") or []
    return [
        operation["resource"]["urn"].rpartition("::")[2] for operation in operations if operation["type"] == "creating"
    ]


@pytest.fixture
def run(request: pytest.FixtureRequest, things: Things) -> subprocess.Popen[str]:
    """An `up` that is creating `first`, which takes 4 seconds unless a test says otherwise."""
    (things.world / "slow-first").write_text(str(getattr(request, "param", 4)))
    run = things.start(*UP)
    things.until_called("create first")
    return run


def test_ctrl_c(things: Things, run: subprocess.Popen[str]) -> None:
    """The first Ctrl-C lets running steps finish and starts no others."""
    run.send_signal(signal.SIGINT)
    text, _ = run.communicate()

    assert run.returncode == 1, text
    assert "first" in things.state()
    assert "second" not in things.state()
    assert pending(things) == []
    (things.world / "slow-first").unlink()
    things.calls()
    assert things.up() == 0, things.text
    assert "create first" not in things.calls()
    assert "second" in things.state()


@pytest.mark.parametrize("run", [60], indirect=True)  # the run must not end between the two signals
def test_ctrl_c_twice(things: Things, run: subprocess.Popen[str]) -> None:
    """The second Ctrl-C exits at once; the next `up` creates the object again."""
    run.send_signal(signal.SIGINT)
    assert run.stdout is not None
    while "again" not in run.stdout.readline():
        pass
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


@pytest.mark.parametrize("run", [60], indirect=True)
def test_lock(things: Things, run: subprocess.Popen[str]) -> None:
    """A second run on a locked stack is refused."""
    assert things.up() != 0

    assert "lock" in things.text
    (things.world / "slow-first").unlink()
    text, _ = run.communicate()
    assert run.returncode == 0, text
