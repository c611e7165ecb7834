"""Serves a world on loopback: one port for each service, consecutive, in the order of `World.services`."""

import errno
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cheroot import wsgi

from rehearsal.cloud.faults import Hung, Lost
from rehearsal.cloud.world import World

HOST = "127.0.0.1"
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class PortTaken(Exception):
    """Another program uses a port that the doubles need."""


class Listeners:
    """Serves a world until `stop`. A context manager."""

    def __init__(self, world: World, port: int = 0) -> None:
        """`port` is the first of consecutive ports; 0 lets the system choose them. Raises PortTaken."""
        self.world = world
        self.failure: Exception | None = None
        """Why the state can no longer be stored, for example a full disk."""
        self._servers: list[Any] = []
        for index, (name, service) in enumerate(world.services.items()):
            server = _Server(
                (HOST, port + index if port else 0),
                _breaking_connections(service, self._fail),
                numthreads=24,
                request_queue_size=64,
            )
            server.timeout = 120
            server.shutdown_timeout = 0.5
            try:
                server.prepare()
            except OSError:
                self.stop()
                raise PortTaken(
                    f"port {port + index} is in use: choose another with PORT=, or leave PORT out to get one that is free"
                ) from None
            self._servers.append(server)
            world.addresses[name] = f"http://{HOST}:{server.bind_addr[1]}"
        for server in self._servers:
            threading.Thread(target=server.serve, daemon=True).start()

    def _fail(self, error: Exception) -> None:
        self.failure = error

    def stop(self) -> None:
        """Stop all servers in parallel: each one waits for its idle threads."""
        stops = [threading.Thread(target=server.stop) for server in self._servers]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class _Server(wsgi.Server):
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log no traceback for connections that a fault breaks."""
        if not isinstance(sys.exc_info()[1], Lost):
            super().error_log(msg, level, traceback)


def _breaking_connections(service: WSGIApplication, fail: Callable[[Exception], None]) -> WSGIApplication:
    """Turn `Lost` and `Hung` into a connection that breaks in the middle of a response; report a full disk to `fail`."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            try:
                yield from service(environ, start_response)
            except (sqlite3.OperationalError, OSError) as error:
                if isinstance(error, OSError) and error.errno not in DISK_ERRORS:
                    raise
                fail(error)
                raise Lost from None
        except Lost as lost:
            if isinstance(lost, Hung):
                time.sleep(lost.seconds)
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "1000000")])
            yield b" "
            raise

    return application
