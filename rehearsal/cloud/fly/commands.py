"""Commands inside a machine, over the API's `exec`: run on this computer with the machine's environment, below its root.

Known are the few programs that a launch asks for; any other is `not found`, as in an image that lacks it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.cloud.fly.programs import PLACES

NOT_FOUND, TIMED_OUT = 127, 124
KNOWN = {
    "python3": sys.executable,
    "promtool": shutil.which("promtool", path=PLACES),
    "amtool": shutil.which("amtool", path=PLACES),
    "rm": shutil.which("rm"),
    "litestream": shutil.which("litestream", path=PLACES),
}
"""Where they are here; None for one that is not installed."""


def run(
    command: Sequence[str], env: Mapping[str, str], root: Path, seconds: float, translate: Callable[[str], str]
) -> dict[str, Any]:
    """Fly's answer to `exec`. `translate` turns an argument into what it is on this computer."""
    found = KNOWN.get(command[0].rpartition("/")[2])
    if found is None:
        return _answer(NOT_FOUND, "", f"{command[0]}: not found")
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
        return _answer(TIMED_OUT, "", f"{command[0]}: not within {seconds:g} s")
    return _answer(done.returncode, done.stdout, done.stderr)


def _answer(code: int, stdout: str, stderr: str) -> dict[str, Any]:
    return {"exit_code": code, "exit_signal": 0, "stdout": stdout, "stderr": stderr}
