"""Runs a command that exits with its parent, even if the parent is killed: `python exit_with_parent.py COMMAND…`.

Standard input is a pipe from the parent. When the pipe closes, the command gets SIGTERM twice, a second apart, and then SIGKILL.
SIGINT and SIGTERM are passed on. The exit code is that of the command, 128 + n after signal n.
"""

import os
import signal
import subprocess
import sys
import threading

EXIT_WITH_PARENT = (sys.executable, __file__)
"""Put before a command whose standard input is a pipe."""
PAUSE_SECONDS = 1.0
"""Between two signals after the pipe has closed."""


def main() -> int:
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as program:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: program.send_signal(number))
        threading.Thread(target=_terminate_with_parent, args=(program,), daemon=True).start()
        code = program.wait()
    return 128 - code if code < 0 else code


def _terminate_with_parent(program: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):  # not sys.stdin: a thread that holds its lock aborts the interpreter at exit
        pass
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        program.send_signal(number)
        try:
            program.wait(PAUSE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


if __name__ == "__main__":
    sys.exit(main())
