"""A rehearsal that is interrupted, or of which a process is killed: what it started ends with it, and the next one ends well."""

import os
import re
import signal
import sys
from collections.abc import Iterator

import pytest

from harness import warm
from tests.processes import descendants, is_alive, wait_until
from tests.rehearsal.conftest import Clone

SLOW = {"kind": "hang", "service": "fly", "method": "POST", "path": "/machines$", "seconds": 4}
"""Creating the machine takes some seconds, and its response is lost."""


class Run:
    """A rehearsal whose engine is creating a machine."""

    def __init__(self, clone: Clone, python: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "executable", python)
            self.process = clone.start()
        self.control = clone.control()
        self.control.do("/faults", **SLOW)
        wait_until(lambda: not self.control.see("/faults"))
        self.started = descendants(self.process.pid)

    def end(self) -> tuple[int, str]:
        """Exit code and output, once it has ended."""
        text, _ = self.process.communicate()
        return self.process.returncode, text

    def started_process(self, part: str) -> int:
        """The first that runs this script or module."""
        return next(pid for pid, command in self.started.items() if re.match(rf"\S+ (-u )?\S*{part}", command))

    def wait_until_nothing_is_left(self) -> None:
        wait_until(lambda: not any(is_alive(pid) for pid in self.started))


@pytest.fixture
def run(clone: Clone, request: pytest.FixtureRequest) -> Iterator[Run]:
    """With the interpreter that is the parameter; default: the quick one."""
    run = Run(clone, getattr(request, "param", None) or sys.executable)
    yield run
    if run.process.poll() is None:
        os.killpg(run.process.pid, signal.SIGKILL)
    run.wait_until_nothing_is_left()


def ends_well(clone: Clone) -> None:
    assert clone.run() == 0, clone.text
    assert "rows proven" in clone.text


@pytest.mark.parametrize(("run", "number"), [(warm.REAL, signal.SIGINT), (None, signal.SIGTERM)], indirect=["run"])
def test_signal_finishes_the_running_step(clone: Clone, run: Run, number: signal.Signals) -> None:
    run.process.send_signal(number)
    code, text = run.end()

    assert code == 128 + number
    assert "Traceback" not in text
    assert f"Stopped by {number.name}: run the same command again; it continues where this run ended." in text
    run.wait_until_nothing_is_left()
    ends_well(clone)


def test_second_interrupt_exits_immediately(clone: Clone, run: Run) -> None:
    run.process.send_signal(signal.SIGINT)
    assert run.process.stdout is not None
    while "again" not in run.process.stdout.readline():
        pass
    run.process.send_signal(signal.SIGINT)
    code, text = run.end()

    assert code == 128 + signal.SIGINT
    assert "Traceback" not in text
    ends_well(clone)


def test_killed_rehearsal_leaves_no_process(clone: Clone, run: Run) -> None:
    run.process.kill()
    run.end()

    ends_well(clone)
    run.wait_until_nothing_is_left()


@pytest.mark.parametrize(
    ("run", "part", "said"),
    [
        (None, "-m rehearsal serve", "ended unexpectedly (SIGKILL): run the same command again"),
        (warm.REAL, "exit_with_parent.py", "the engine was killed by SIGKILL: run the same command again"),
        (None, "-m rehearsal.engine", "the engine was killed by SIGKILL: run the same command again"),
        (None, "-m pulumi.dynamic", "make rehearse` again"),
        (None, "program.py", "make rehearse` again"),
    ],
    indirect=["run"],
)
def test_killed_process(clone: Clone, run: Run, part: str, said: str) -> None:
    os.kill(run.started_process(part), signal.SIGKILL)
    code, text = run.end()

    assert code == 1, text
    assert "Traceback" not in text
    assert said in text
    ends_well(clone)
