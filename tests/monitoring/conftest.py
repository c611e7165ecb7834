"""Runs the programs of the monitor; a test names the program in `@needs`."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.needs import find

Run = Callable[..., str]


@pytest.fixture
def run() -> Run:
    """`run("promtool", "check", …)` is its output; a status other than 0 fails the test with what it printed."""

    def execute(name: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [str(find(name)), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, f"{name} {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return execute
