"""`python -m rehearsal serve`, and what starts it, where it cannot have its ports."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.program import IMAGE, appstore, doubles, fly

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_taken_port_is_refused(taken: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rehearsal", "serve", "--port", str(taken), "--data", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: port {taken} is in use: choose another with PORT=, or leave PORT out to get one that is free\n"
    )


def test_new_world_is_seeded(tmp_path: Path) -> None:
    with doubles(tmp_path) as addresses:
        users = [user["username"] for user in appstore(addresses)["users"]]
        images = [image["reference"] for image in fly(addresses)["fly_image"]]

    assert {"ada@sollabs.example", "jun@sollabs.example", "lena@sollabs.example"} <= set(users)
    assert IMAGE in images
    assert (tmp_path / "world/credentials.json").stat().st_mode & 0o077 == 0
