"""Forks Python processes that need no imports any more: `python -m harness.warm.server LISTENER PIPE EXECUTABLE`.

The first two are file descriptors: a socket that listens for launchers, and a pipe whose end is the end of this process.
"""

import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from harness.warm import FORKED

PACKAGES = (
    "adoption",
    "checklist",
    "components",
    "preflight",
    "project",
    "providers",
    "pulumi.dynamic",
    "rehearsal",
    "report",
    "status",
)
IN_FUNCTIONS = (
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.primitives.serialization.pkcs12",
    "encodings.idna",
    "grpc._channel",
    "grpc._server",
    "grpc.experimental",
    "httpx",
)
"""What is imported inside functions, by most processes."""


class Request(NamedTuple):
    """A process to start."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]
    """Standard input, output and error."""


def main(listener_number: str, pipe: str, executable: str) -> None:
    sys.executable = executable  # before modules remember it
    _import_everything()
    _compute_what_most_need()
    gc.collect()
    gc.freeze()  # a collection in a forked process would copy every page
    listener = socket.socket(fileno=int(listener_number))
    _become(Server(listener, int(pipe), Path(executable).parent / FORKED).next_request())


def _import_everything() -> None:
    for package in PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in IN_FUNCTIONS:
        importlib.import_module(name)


def _compute_what_most_need() -> None:
    """The key of the passphrase that all stacks of tests have, the trusted certificate authorities, and the routes of the doubles:
    they are cached."""
    from harness.program import PASSPHRASE, SALT
    from project.crypter import Crypter
    from providers.http import make_transport
    from rehearsal.cloud.world import World

    Crypter.of(SALT, PASSPHRASE)
    make_transport("http://127.0.0.1").close()
    with contextlib.closing(World()) as world:
        for service in world.services.values():
            service.matcher()


class Server:
    """Forks a process for each request, and connects its launcher with it."""

    def __init__(self, listener: socket.socket, pipe: int, folder: Path) -> None:
        """`folder` is for what `launchers` reads."""
        self._listener, self._pipe, self._folder = listener, pipe, folder
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(pipe, selectors.EVENT_READ)
        self._processes: dict[int, tuple[int, socket.socket]] = {}
        """Process id and connection of each running process, by its pidfd."""

    def next_request(self) -> Request:
        """Serve until the pipe ends. Returns in each forked process, with its request."""
        while True:
            (key, _), *_ = self._selector.select()
            if key.fd == self._pipe:
                for handle in self._processes:
                    self._kill(handle)
                os._exit(0)
            elif key.fileobj is self._listener:
                request = self._start()
                if request:
                    return request
            elif key.fd in self._processes:
                self._finish(key.fd)
            else:
                self._forward(key)

    def _start(self) -> Request | None:
        """Start a process. Returns its request in it, and None in the server."""
        connection, _ = self._listener.accept()
        request = _received(connection)
        if request is None:
            connection.close()
            return None
        pid = os.fork()
        if pid == 0:
            # Closed by their owners, which would otherwise close descriptors of the same numbers when they are collected.
            self._selector.close()
            for ended in (self._listener, connection, *(connection for _, connection in self._processes.values())):
                ended.close()
            return request
        for stream in request.streams:
            os.close(stream)
        handle = os.pidfd_open(pid)
        launcher, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        (self._folder / str(pid)).write_text(str(launcher))
        self._processes[handle] = (pid, connection)
        self._selector.register(handle, selectors.EVENT_READ)
        self._selector.register(connection, selectors.EVENT_READ, handle)
        return None

    def _forward(self, key: selectors.SelectorKey) -> None:
        """Pass on signals that the launcher got. If it was killed, the process is killed too, with its group, because nobody can tell
        whether the launcher's group was killed."""
        assert isinstance(key.fileobj, socket.socket)
        try:
            numbers = key.fileobj.recv(64)
        except ConnectionError:
            numbers = b""
        if not numbers:
            self._selector.unregister(key.fileobj)
            self._kill(key.data)
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(key.data, number)

    def _kill(self, handle: int) -> None:
        pid, _ = self._processes[handle]
        for kill in (os.kill, os.killpg):  # one that has just been forked has no group of its own yet
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)

    def _finish(self, handle: int) -> None:
        """Tell the launcher the exit code."""
        pid, connection = self._processes.pop(handle)
        _, status = os.waitpid(pid, 0)
        (self._folder / str(pid)).unlink()
        with contextlib.suppress(OSError):  # the launcher was killed
            connection.send(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
        for ended in (handle, connection):
            with contextlib.suppress(KeyError):  # the connection had ended before
                self._selector.unregister(ended)
        connection.close()
        os.close(handle)


def _received(connection: socket.socket) -> Request | None:
    """None if the launcher was killed before it had sent the request."""
    length, streams, _, _ = socket.recv_fds(connection, 4, 3)
    body = b""
    while len(body) < int.from_bytes(length, "big"):
        part = connection.recv(65536)
        if not part:
            break
        body += part
    else:
        if body:
            arguments, folder, environment = marshal.loads(body)  # noqa: S302 (from our launcher)
            return Request(arguments, folder, environment, streams)
    for stream in streams:
        os.close(stream)
    return None


def _become(request: Request) -> NoReturn:
    """Run as the interpreter would, and exit."""
    os.setsid()
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
    os.closerange(3, 65536)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    arguments = request.arguments
    _open_stdout(unbuffered=arguments[0] == "-u" or bool(os.environ.get("PYTHONUNBUFFERED")))
    if arguments[0] == "-u":
        arguments = arguments[1:]
    code = _exit_code(arguments)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _open_stdout(*, unbuffered: bool) -> None:
    """As the interpreter opens it, whether this server was started with a buffer or without: then a buffer below the text stays."""
    binary = open(1, "wb", 0 if unbuffered else -1, closefd=False)  # noqa: SIM115 (for the life of the process)
    encoding, errors = sys.stdout.encoding, sys.stdout.errors
    sys.stdout = io.TextIOWrapper(binary, encoding, errors, write_through=unbuffered)
    sys.__stdout__ = sys.stdout  # type: ignore[misc]


def _exit_code(arguments: Sequence[str]) -> int:
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    try:
        if arguments[0] == "-m":
            sys.argv = list(arguments[1:])
            sys.path[:1] = [str(Path.cwd()), *path]
            sys.modules.pop(arguments[1], None)
            runpy._run_module_as_main(arguments[1], alter_argv=True)  # type: ignore[attr-defined]
        else:
            sys.argv = list(arguments)
            sys.path[:1] = [str(Path(arguments[0]).resolve().parent), *path]
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 255
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 (as the interpreter does)
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
