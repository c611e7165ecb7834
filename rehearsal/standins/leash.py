"""Runs a program that ends with us, however we end: `python -m rehearsal.standins.leash COMMAND…`.

The leash is standard input: when it ends, or on SIGTERM, the program is asked to end. Our exit code is the program's.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as program:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: program.terminate())
        threading.Thread(target=_end_with_parent, args=(program,), daemon=True).start()
        code = program.wait()
    return 128 - code if code < 0 else code


def _end_with_parent(program: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):  # Not sys.stdin: its lock, held by a thread, would abort the interpreter when it ends.
        pass
    program.terminate()


if __name__ == "__main__":
    sys.exit(main())
