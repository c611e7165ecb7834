"""The rest of the executable that stands for a Python process; `{real}` and `{socket}` are filled in.

It imports only builtin modules: `socket` and `signal` would double its start.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import os
import sys

REAL = "{real}"
SOCKET = "{socket}"
FORWARDED = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)


def main() -> None:
    arguments = sys.argv[1:]
    rest = arguments[1:] if arguments[:1] == ["-u"] else arguments
    if not rest or (rest[0].startswith("-") and rest[0] != "-m"):
        become_real()  # an option that a running interpreter cannot take
    code = launched(arguments)
    if code < 0:
        if -code != _signal.SIGKILL:
            _signal.signal(-code, _signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def launched(arguments: list[str]) -> int:
    """The exit code of the forked process; negative after a signal."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    request = marshal.dumps((arguments, os.getcwd(), dict(os.environ)))  # noqa: PTH109
    try:
        connection.connect(SOCKET)
        connection.sendmsg([len(request).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
        connection.sendall(request)
    except OSError:
        become_real()
    for number in FORWARDED:
        _signal.signal(number, lambda number, _: connection.send(bytes([number])))
    answer = connection.recv(4)
    return int.from_bytes(answer, "big", signed=True) if answer else 1


def become_real() -> None:
    os.execv(REAL, [REAL, *sys.argv[1:]])  # noqa: S606


main()
