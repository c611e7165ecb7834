"""Programs that are tried for real: found on this computer, or the test is skipped and says what was not tested."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.monitoring.tools import GO_PROGRAMS

Run = Callable[..., str]


@pytest.fixture(name="program")
def _program() -> Callable[[str], Path]:
    """`program("promtool")` is where it is; without it the test is skipped."""

    def find(name: str) -> Path:
        found = shutil.which(name, path=f"{GO_PROGRAMS}:/usr/sbin:/usr/bin:/usr/local/bin:/bin")
        if found is None:
            pytest.skip(f"NOT TESTED: {name} is not installed here: `make monitoring-tools` installs it")
        return Path(found)

    return find


@pytest.fixture
def run(program: Callable[[str], Path]) -> Run:
    """`run("promtool", "check", …)` is its output; a status other than 0 fails the test with what it printed."""

    def execute(name: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [program(name), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{name} {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return execute
