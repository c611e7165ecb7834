"""Runs a program that ends with its parent, even if the parent is killed: `python -m rehearsal.standins.leash COMMAND…`.

The parent holds the other end of standard input. When that is closed, the program gets SIGTERM twice, a second apart, and then
SIGKILL. SIGINT and SIGTERM are passed on. The exit code is the program's, 128 + n after signal n.
"""

import os
import signal
import subprocess
import sys
import threading

PAUSE_SECONDS = 1.0
"""Between two signals to a program whose parent has ended."""


def main() -> int:
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as program:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: program.send_signal(number))
        threading.Thread(target=_end_with_parent, args=(program,), daemon=True).start()
        code = program.wait()
    return 128 - code if code < 0 else code


def _end_with_parent(program: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):  # Not sys.stdin: its lock, held by a thread, would abort the interpreter when it ends.
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
