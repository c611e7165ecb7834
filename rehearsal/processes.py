"""Runs the programs of a rehearsal: they get its signals, and end when it ends, even if it is killed.

Each runs in its own session, so Ctrl-C in a terminal reaches only the rehearsal. It forwards the signal to the engine, and the
doubles continue to serve while the engine finishes its running steps.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from rehearsal.standins.exit_with_parent import EXIT_WITH_PARENT

POLL_SECONDS = 0.1
FORWARDED = (signal.SIGINT, signal.SIGTERM)
SIGNALLED = 128
"""A shell's exit code for a program that was ended by a signal is this plus the signal's number."""


class Interrupted(Exception):
    """SIGINT or SIGTERM was received, and the running program, if any, has ended."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Killed(Exception):
    """Something killed a process of the rehearsal; the message names it."""


class _Current:
    """The program that gets the signals, and the last signal that was forwarded to it."""

    program: "subprocess.Popen[str] | None" = None
    received: int | None = None


@contextmanager
def forwarded_signals() -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM go to the program in `run`, which then raises Interrupted.

    Without a running program, Interrupted is raised at once.
    """
    before = {number: signal.signal(number, _receive) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def handled_signals(handle: Callable[[int], object]) -> Iterator[None]:
    """Within the block, `handle` gets each SIGINT and SIGTERM, in another thread.

    A Python handler would run in the main thread: it must not print or take a lock that this thread may hold, and a signal that
    arrives just before a blocking call is not seen until that call returns. The interpreter's wakeup descriptor has neither limit:
    it gets the number when the signal arrives.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in FORWARDED}
    descriptor = signal.set_wakeup_fd(writing)

    def handle_all() -> None:
        while received := os.read(reading, 1):
            if received[0] in FORWARDED:
                handle(received[0])

    thread = threading.Thread(target=handle_all)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(writing)
        thread.join()
        os.close(reading)


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    inherits: Collection[int] = (),
    needs: "subprocess.Popen[str] | None" = None,
    on_line: Callable[[str], None] | None = None,
) -> int:
    """Run a program to its end; returns its exit code.

    `inherits` are file descriptors that stay open in it. If the process `needs` ends first, the program is killed. With `on_line`,
    each line of output goes there instead of to the terminal. Raises Interrupted after a forwarded signal, and Killed.
    """
    with subprocess.Popen(
        [*EXIT_WITH_PARENT, *command],
        env=environment,
        stdin=subprocess.PIPE,  # its end tells the program that this process has ended
        stdout=subprocess.PIPE if on_line else None,
        stderr=subprocess.STDOUT if on_line else None,
        text=True,
        start_new_session=True,
        pass_fds=inherits,
    ) as program:
        _Current.program, _Current.received = program, None
        try:
            if on_line and program.stdout is not None:
                for line in program.stdout:
                    on_line(line.rstrip("\n"))
            code = _wait(program, needs)
        finally:
            _Current.program = None
    if _Current.received is not None:
        raise Interrupted(_Current.received)
    if needs is not None and needs.poll() is not None:
        raise Killed(f"the doubles' process {needs.pid} ended {_describe(needs.returncode)}")
    if code < 0:
        _kill_all(program)  # exit_with_parent was killed, and the program is still running
        raise Killed(f"the engine was killed by {signal.Signals(-code).name}")
    if code - SIGNALLED in set(signal.Signals):
        raise Killed(f"the engine was killed by {signal.Signals(code - SIGNALLED).name}")
    return code


def is_alive(pid: int) -> bool:
    """Whether a process with that id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _wait(program: "subprocess.Popen[str]", needs: "subprocess.Popen[str] | None") -> int:
    while True:
        try:
            return program.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if needs is not None and needs.poll() is not None:
                _kill_all(program)


def _kill_all(program: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


def _receive(number: int, frame: object) -> None:
    if _Current.program is None:
        raise Interrupted(number)
    _Current.received = number
    _Current.program.send_signal(number)


def _describe(code: int) -> str:
    return f"unexpectedly ({signal.Signals(-code).name})" if code < 0 else "for the reason above"
