"""Fly's log stream: a real NATS server, if `nats-server` is installed, that gets every log line of every machine."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from typing import Any

from rehearsal.cloud.fly.programs import SEARCH_PATH
from rehearsal.standins.exit_with_parent import EXIT_WITH_PARENT

HOST = "127.0.0.1"
START_SECONDS = 5.0


class LogStream:
    """Starts with the first subscriber. Without `nats-server` lines are dropped."""

    def __init__(self) -> None:
        self.port: int | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def start(self) -> int | None:
        """Start the server if needed. Returns its port; None without `nats-server`."""
        found = shutil.which("nats-server", path=SEARCH_PATH)
        if self.port is None and found:
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                port: int = probe.getsockname()[1]
            self._server = subprocess.Popen(
                [*EXIT_WITH_PARENT, found, "--addr", HOST, "--port", str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._connection = _connect(port)
            self.port = port
        return self.port

    def publish(self, line: dict[str, Any]) -> None:
        """Publish a log line, in Fly's format: `{"event", "fly": {"app", "region"}, "log", "message", "timestamp"}`."""
        if self._connection is None:
            return
        fly, content = line["fly"], json.dumps(line).encode()
        subject = f"logs.{fly['app']['name']}.{fly['region']}.{fly['app']['instance']}"
        with contextlib.suppress(OSError):
            self._connection.sendall(f"PUB {subject} {len(content)}\r\n".encode() + content + b"\r\n")

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        if self._server:
            self._server.terminate()
            self._server.wait()


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = socket.create_connection((HOST, port), timeout=1.0)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            connection.recv(4096)
            connection.sendall(b'CONNECT {"verbose":false,"pedantic":false,"name":"fly"}\r\n')
            return connection
