"""A disk that is full, and a folder that cannot be written: one line that says what to do."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rehearsal.conftest import Clone


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """A disk of its own at `folder`."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: only root on Linux can mount a disk for this test")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(clone: Clone) -> None:
    with disk(clone.folder / ".rehearsal", "size=300k"):
        assert clone.run() != 0

    assert "Traceback" not in clone.text
    assert "bug in" not in clone.text
    assert "free some space" in clone.text
    assert clone.run() == 0, clone.text


def test_read_only_disk(clone: Clone) -> None:
    with disk(clone.folder / ".rehearsal", "ro"):
        assert clone.run() == 1

    assert clone.text == (
        "error: .rehearsal/lock: Read-only file system: run this in a clone on a disk that can be written to\n"
    )


def test_unwritable_folder(clone: Clone) -> None:
    if os.getuid() == 0:
        pytest.skip("NOT TESTED: root can write to every folder")
    (clone.folder / ".rehearsal").mkdir(mode=0o555)

    assert clone.run() == 1

    assert clone.text == ("error: .rehearsal/lock: Permission denied: make it readable and writable for your user\n")
