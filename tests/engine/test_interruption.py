"""A run that is interrupted, once, twice, or killed: what it was at is recorded, and the next one goes on."""

import json
import signal
import subprocess

import pytest

from tests.engine.conftest import Things

UP = ("up", "--yes", "--skip-preview")


def pending(things: Things) -> list[str]:
    """What the state says was being made, by name."""
    state = json.loads((things.folder / "state/.pulumi/stacks/things/dev.json").read_text())
    operations = state["checkpoint"]["latest"].get("pending_operations") or []
    return [each["resource"]["urn"].rpartition("::")[2] for each in operations if each["type"] == "creating"]


@pytest.fixture
def run(things: Things) -> subprocess.Popen[str]:
    """An up that is at work on `first`, and takes seconds over it."""
    (things.world / "slow-first").write_text("4")
    run = things.start(*UP)
    things.until_called("create first")
    return run


def test_ctrl_c_lets_the_running_step_end_and_begins_no_other(things: Things, run: subprocess.Popen[str]) -> None:
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


def test_ctrl_c_twice_leaves_at_once_and_the_next_up_makes_it_again(things: Things, run: subprocess.Popen[str]) -> None:
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


def test_the_up_after_a_killed_one_says_what_was_under_way_and_goes_on(
    things: Things, run: subprocess.Popen[str]
) -> None:
    run.kill()
    run.communicate()

    assert "first" in pending(things)
    (things.world / "slow-first").unlink()
    if things.engine == "pulumi":  # Its lock is taken away by hand; the embedded engine sees that the holder is dead.
        assert things.up() != 0
        assert "pulumi cancel" in things.text
        subprocess.run(things.command("cancel", "--yes"), check=True, capture_output=True)
    assert things.up() == 0, things.text
    assert "first" in things.text
    assert {"first", "second"} <= things.state().keys()
    assert things.state()["first"]["id"] in things.objects()


def test_a_second_run_on_a_stack_at_work_is_refused(things: Things, run: subprocess.Popen[str]) -> None:
    assert things.up() != 0

    assert "lock" in things.text
    text, _ = run.communicate()
    assert run.returncode == 0, text
