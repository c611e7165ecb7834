"""The processes of this computer: from /proc where it exists, else from `ps`, which macOS always has."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness import warm

PROC = Path("/proc")
HAS_PROC = (PROC / "self").exists()
SECONDS = 90.0
"""Far longer than anything takes that `wait_until` waits for, also on a busy computer."""


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    is_zombie: bool
    command: str
    """The command line."""


def with_command(part: str) -> list[int]:
    """The processes whose command line contains `part`, except this one."""
    return [process.pid for process in _all() if part in process.command and process.pid != os.getpid()]


def descendants(pid: int) -> dict[int, str]:
    """The command lines of what a process started, directly or not, by process id."""
    everything = list(_all())
    found: dict[int, str] = {}
    parents = {pid}
    while parents:
        children = {process.pid: process.command for process in everything if process.parent in parents}
        found |= children
        parents = set(children)
    return found


def is_alive(pid: int) -> bool:
    """A zombie is not."""
    here = [_read(PROC / str(pid))] if HAS_PROC else _from_ps()
    return any(process and process.pid == pid and not process.is_zombie for process in here)


def _all() -> Iterator[Process]:
    """A forked process has the place and the command line of a real one, as the child of its launcher."""
    found = {process.pid: process for process in (_from_proc() if HAS_PROC else _from_ps())}
    launchers = warm.launchers()
    for process in found.values():
        if launcher := found.get(launchers.get(process.pid, 0)):
            _, _, command = launcher.command.partition(" -IS ")
            yield replace(process, parent=launcher.pid, command=command)
        else:
            yield process


def _from_proc() -> Iterator[Process]:
    yield from filter(None, map(_read, PROC.glob("[0-9]*")))


def _read(folder: Path) -> Process | None:
    """None if the process has ended."""
    try:
        state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    return Process(int(folder.name), int(parent), state == "Z", command)


def _from_ps() -> Iterator[Process]:
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], stdout=subprocess.PIPE, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        pid, parent, state, *command = line.split(maxsplit=3)
        yield Process(int(pid), int(parent), state.startswith("Z"), "".join(command))


def wait_until(holds: Callable[[], object], what: str = "it") -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"no {what} within {SECONDS:g} s"
        time.sleep(0.05)
