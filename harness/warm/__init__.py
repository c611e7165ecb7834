"""A fast start for the Python processes of tests: most of the time of a short process goes into `import pulumi`.

    launcher   takes the place of `sys.executable`: asks the server for a process, and stands for it (signals, exit code)
    server     has imported everything, and forks a process for each request; started by the first request

Where that is not possible (another system than Linux, options of the interpreter), the launcher becomes the real interpreter.
`pytest --cold` starts every process with the real one, and so does the fixture `cold_python` for a test: a forked process is not a
child of the process that started it, has a group of its own, and ends without the finalisation of the interpreter.
"""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

REAL = sys.executable
LAUNCHER = Path(__file__).with_name("launcher.py")
ROOT = Path(__file__).resolve().parents[2]
MAX_SOCKET_PATH = 100
"""Bytes; Linux takes 107."""
FORKED = "forked"
"""Beside the launcher: a file for each running process, which is named by its id and contains that of its launcher."""


def launchers() -> dict[int, int]:
    """The launcher of each running process that was forked, by process id."""
    found = {}
    for file in (Path(sys.executable).parent / FORKED).glob("*"):
        with suppress(OSError, ValueError):  # it is just being written, or has ended
            found[int(file.name)] = int(file.read_text())
    return found


@contextmanager
def executable(folder: Path) -> Iterator[str]:
    """The executable that starts Python processes quickly, as long as the block runs; `folder` is for its files."""
    here = str(folder / "socket")
    if sys.platform != "linux" or len(here) > MAX_SOCKET_PATH:
        yield REAL
        return
    script = folder / "python"
    (folder / FORKED).mkdir()
    interpreter = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    text = LAUNCHER.read_text().replace("{real}", REAL).replace("{socket}", here)
    script.write_text(f"#!{interpreter} -IS\n{text}")
    script.chmod(0o755)
    ends, end = os.pipe()  # the server exits when `end` is closed
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(here)
        listener.listen(64)
        server = threading.Thread(target=_serve, args=(listener, ends, str(script)), daemon=True)
        server.start()
        try:
            yield str(script)
        finally:
            os.close(end)
            server.join()
            os.close(ends)


def _serve(listener: socket.socket, ends: int, script: str) -> None:
    """Run the server from the first request to the end."""
    descriptors = (listener.fileno(), ends)
    ready, _, _ = select.select(descriptors, [], [])
    if listener.fileno() in ready:
        command = [REAL, "-m", "harness.warm.server", *map(str, descriptors), script]
        subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=descriptors, check=False)
