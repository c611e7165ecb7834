"""Runs a command that exits with its parent, even if the parent is killed: `python exit_with_parent.py COMMAND…`.

Standard input is a pipe from the parent. When the pipe closes, the command gets SIGTERM twice, a second apart, and then SIGKILL.
SIGINT and SIGTERM are passed on. The exit code is that of the command, 128 + n after signal n.
"""

import os
import select
import signal
import subprocess
import sys

EXIT_WITH_PARENT = (sys.executable, __file__)
"""Put before a command whose standard input is a pipe."""
FORWARDED = (signal.SIGINT, signal.SIGTERM)
PAUSE_SECONDS = 1.0
"""Between two signals after the pipe has closed."""
STDIN = 0


def main() -> int:
    signals = _received_signals()
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as program:
        watched, pause = [signals, STDIN], None
        endings = iter((signal.SIGTERM, signal.SIGTERM))
        while program.poll() is None:
            ready, _, _ = select.select(watched, [], [], pause)
            if signals in ready:
                for number in os.read(signals, 64):
                    if number in FORWARDED:
                        program.send_signal(number)
            elif not ready or not os.read(STDIN, 1024):
                watched, pause = [signals], PAUSE_SECONDS
                program.send_signal(next(endings, signal.SIGKILL))
        code = program.wait()
    return 128 - code if code < 0 else code


def _received_signals() -> int:
    """A descriptor with the number of each signal, also of one that arrives just before it is read. SIGCHLD announces the end of the
    program."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (*FORWARDED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reading


if __name__ == "__main__":
    sys.exit(main())
