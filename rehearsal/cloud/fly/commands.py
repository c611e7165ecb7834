"""Executes commands in a machine (`exec`): on this computer, with the machine's environment, in its root folder.

Only the programs that a launch uses are available; any other is `not found`, as in an image without it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.cloud.fly.programs import SEARCH_PATH

NOT_FOUND, TIMED_OUT = 127, 124
PROGRAMS_HERE = {
    "python3": sys.executable,
    "promtool": shutil.which("promtool", path=SEARCH_PATH),
    "amtool": shutil.which("amtool", path=SEARCH_PATH),
    "rm": shutil.which("rm"),
    "litestream": shutil.which("litestream", path=SEARCH_PATH),
}
"""Paths on this computer; None if not installed."""


def run(
    command: Sequence[str], env: Mapping[str, str], root: Path, seconds: float, translate: Callable[[str], str]
) -> dict[str, Any]:
    """Fly's response to `exec`. `translate` turns an argument into its value on this computer."""
    found = PROGRAMS_HERE.get(command[0].rpartition("/")[2])
    if found is None:
        return _result(NOT_FOUND, "", f"{command[0]}: not found")
    try:
        done = subprocess.run(
            [found, *map(translate, command[1:])],
            env={**env, "PATH": os.environ.get("PATH", "")},
            cwd=root,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _result(TIMED_OUT, "", f"{command[0]}: timed out after {seconds:g} s")
    return _result(done.returncode, done.stdout, done.stderr)


def _result(code: int, stdout: str, stderr: str) -> dict[str, Any]:
    return {"exit_code": code, "exit_signal": 0, "stdout": stdout, "stderr": stderr}
