"""A lock on the folder of a rehearsal, so that only one uses it at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.processes import is_alive

GRACE_SECONDS = 10.0
"""How long to wait for the processes of a killed rehearsal to end."""
POLL_SECONDS = 0.1


class InUse(Exception):
    """Another process is using the folder; the message names it."""


@contextmanager
def locked(folder: Path, command: str) -> Iterator[int]:
    """Hold the lock of `folder` during the block. The error of others names `command`.

    Yields the lock's file descriptor. A process that inherits it holds the lock too, so after a rehearsal was killed, the next one
    waits until the processes that it started have ended. Raises InUse, and OSError for a folder that is not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(file, folder)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()} {command}".encode(), 0)
        yield file
    finally:
        os.close(file)


def _acquire(file: int, folder: Path) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, command = os.pread(file, 1024, 0).decode().partition(" ")
            if pid.isdecimal() and is_alive(int(pid)):
                raise InUse(
                    f"{folder} is in use by process {pid} ({command}): wait for it, or end it with `kill {pid}`"
                ) from None
            if time.monotonic() > deadline:
                raise InUse(
                    f"{folder} is in use by processes that process {pid} ({command}) left: `lsof {folder / 'lock'}` lists them"
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            return
