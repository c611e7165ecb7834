"""Rewrites the files, arguments and variables of a machine that runs a real program, so that the program works on loopback.

Exactly four things are replaced in the text:

- A private name with its port, `<group>.process.<app>.internal:9093`, becomes a port of 127.0.0.1, and so does the port on which
  the program itself listens.
- A public host, `api.fly.io` or the host of an `https://` URL, becomes a port of 127.0.0.1 where the double of Fly's API or proxy
  answers with TLS. `SSL_CERT_FILE` names the root certificate. So nothing leaves this computer.
- The address of Fly's log stream becomes that of a NATS server (`log_stream`).
- Durations are divided by the delay `monitor_speed`, so that a wait of minutes takes seconds.

An absolute path in an argument is taken below the machine's root, as for every program here.
"""

import re
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from rehearsal.cloud.context import Context
from rehearsal.cloud.fly import authority
from rehearsal.cloud.fly.log_stream import LogStream
from rehearsal.cloud.service import BY_MACHINE

HOST = "127.0.0.1"
PRIVATE = re.compile(r"(?P<group>[a-z0-9-]+)\.process\.(?P<app>[a-z0-9-]+)\.internal:(?P<port>\d+)")
PUBLIC = re.compile(r"api\.fly\.io|(?<=https://)(?:[a-z0-9-]+\.)+[a-z]{2,}(?![\w.-])")
OWN = re.compile(r"(?P<before>\bhttp://|\"|^|--web\.listen-address=)(?:localhost)?:(?P<port>\d{4,5})\b")
"""The listen address of a machine, and its own ports in its own files."""
PATH = re.compile(r"^(?P<flag>--[a-z._-]+=)?/")
FLY_LOG_STREAM = "nats://[fdaa::3]:4223"
PLATFORM = "api.fly.io"
DURATION = r"(?P<number>\d+)(?P<unit>ms|s|m|h|d)"
DURATIONS = (
    re.compile(
        r"(?P<before>\b(?:scrape_interval|scrape_timeout|evaluation_interval|for|group_wait|group_interval|repeat_interval): )"
        + DURATION
        + r"\b"
    ),
    re.compile(r"(?P<before>\[|offset |--rules\.alert\.resend-delay=|\b(?:flush_)?interval = \")" + DURATION + r"\b"),
)
MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Loopback:
    """Shared by all machines; `close` stops the TLS listeners."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._ports: dict[tuple[str, str, int], int] = {}
        self._listeners: dict[str, Any] = {}
        self._platform: WSGIApplication | None = None
        self._edge: WSGIApplication | None = None
        self.log_stream = LogStream()

    def connect(self, *, platform: WSGIApplication, edge: WSGIApplication) -> None:
        """Set who answers for public hosts: `platform` for api.fly.io, `edge` for all others."""
        self._platform, self._edge = platform, edge

    def port(self, app: str, group: str, port: int) -> int:
        """The local port for `port` of the machines of a process group."""
        with self._lock:
            if (app, group, port) not in self._ports:
                self._ports[app, group, port] = free_port()
            return self._ports[app, group, port]

    def text(self, text: str, app: str, group: str) -> str:
        """The content of a file, an argument or a variable, rewritten for this computer."""
        text = PRIVATE.sub(
            lambda found: f"{HOST}:{self.port(found['app'], found['group'], int(found['port']))}",
            text,
        )
        text = OWN.sub(lambda found: f"{found['before']}{HOST}:{self.port(app, group, int(found['port']))}", text)
        stream = self.log_stream.start() if FLY_LOG_STREAM in text else None
        text = text.replace(FLY_LOG_STREAM, f"nats://{HOST}:{stream}") if stream else text
        text = PUBLIC.sub(lambda found: f"{HOST}:{self._public_port(found[0])}", text)
        for pattern in DURATIONS:
            text = pattern.sub(self._scaled, text)
        return text

    def argument(self, argument: str, root: Path, app: str, group: str) -> str:
        return below(root, self.text(argument, app, group))

    @property
    def speed(self) -> float:
        return self._context.delays.monitor_speed

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that make a program trust the certificates of the doubles."""
        return {"SSL_CERT_FILE": str(self._authority.certificate)}

    def close(self) -> None:
        for server in self._listeners.values():
            server.stop()
        self.log_stream.close()

    @property
    def _authority(self) -> authority.Authority:
        assert self._context.folder is not None, "real programs need a context with a folder"
        return authority.Authority(self._context.folder / "authority")

    def _scaled(self, found: "re.Match[str]") -> str:
        milliseconds = int(found["number"]) * MILLISECONDS[found["unit"]]
        unchanged = self.speed == 1 or not milliseconds
        return found[0] if unchanged else f"{found['before']}{round(milliseconds / self.speed)}ms"

    def _public_port(self, host: str) -> int:
        """The local port that answers for `host`."""
        with self._lock:
            if host not in self._listeners:
                self._listeners[host] = self._listen(host)
            port: int = self._listeners[host].bind_addr[1]
            return port

    def _listen(self, host: str) -> Any:
        server = _Server((HOST, 0), self._named(host), numthreads=4)
        certificate, key = self._authority.issue(HOST)
        server.ssl_adapter = BuiltinSSLAdapter(str(certificate), str(key))
        server.ssl_adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
        server.prepare()
        threading.Thread(target=server.serve, daemon=True).start()
        return server

    def _named(self, host: str) -> WSGIApplication:
        """The double of `host`, for requests from machines."""

        def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ["HTTP_HOST"] = host
            environ[BY_MACHINE] = True
            service = self._platform if host == PLATFORM else self._edge
            assert service is not None, "connect() comes before the first machine starts"
            return service(environ, start_response)

        return application


class _Server(wsgi.Server):
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Ignore clients that disconnect."""


def below(root: Path, argument: str) -> str:
    """An argument with its absolute path moved below the root of the machine."""
    return PATH.sub(lambda found: f"{found['flag'] or ''}{root}/", argument)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
