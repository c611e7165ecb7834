"""A stand-in for `solserver`: a small HTTP backend with a real SQLite database. Uses the standard library only.

    GET  /health   200 {"status": "ok", "version": …, "machine": …, "database": "ok"}, 503 if the database fails
    GET  /notes    200 [{"id": 1, "text": "…"}, …]
    POST /notes    201 {"id": 1, "text": "…"}

It reads PORT (default 8080) and DATABASE_PATH or DATABASE_URL, and does not start if a required variable is missing. With an own
database it reads neither: it stands for a server without a database, or with one that is outside of the rehearsal. Logs are JSON
lines on stdout. SIGTERM ends it with code 0, or by the signal if it is run without a handler. A folder, `root`, stands for the file
system of the machine. A folder at `connection(url)` below it stands for the database of a DATABASE_URL; it exists if host, user and
password are correct.

As a program: `python -m rehearsal.standins.solserver --root DIR --listen PORT [--version V] [--requires A,B] [--broken HOW] [--health /A,/B]
[--own-database] [--no-sigterm-handler] [--exit-with-parent]`; `--listen` is the local port for PORT of the machine.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEFAULT_PORT = 8080
BROKEN = ("crash", "oom", "unhealthy", "slow", "restless", "launch", "pull", "full", "release")
"""How an image can be broken: exits at once, runs out of memory, returns /health with 500, becomes healthy late, crashes after it
was healthy, cannot be launched or pulled (handled by the double of Fly, which never starts this program), finds its volume full, or
its release command fails."""
RELEASE_SECONDS = 0.3
"""How long a release command runs."""
SLOW_SECONDS = 5.0
RESTLESS_SECONDS = 0.8
EXIT_REFUSED = 78
EXIT_CRASH = 1
EXIT_OOM = 137


class Refused(Exception):
    """The server does not start; `code` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Solserver:
    """The server without a socket. Thread-safe."""

    def __init__(
        self,
        env: Mapping[str, str],
        root: Path,
        log: Callable[[str], None],
        *,
        version: str = "",
        requires: Iterable[str] = (),
        broken: str | None = None,
        health: Iterable[str] = (),
        own_database: bool = False,
        is_replicated: bool = True,
    ) -> None:
        """Open the database and migrate its schema. `health` are further paths that answer like /health.

        `is_replicated`: other programs read the database while it is written, so it has a write-ahead log, and is opened for each
        request, which takes most of the time of a health check. Raises Refused.
        """
        self._log, self._version, self._broken = log, version, broken
        self._health_paths = {"/health", *health}
        self._machine = env.get("FLY_MACHINE_ID", "")
        if env.get("RELEASE_COMMAND"):
            raise self._released()
        kind = "DATABASE_URL" if env.get("DATABASE_URL") else "DATABASE_PATH"
        missing = [name for name in (*(() if own_database else (kind,)), *requires) if not env.get(name)]
        if missing:
            raise self._refused(f"missing environment: {', '.join(missing)}", EXIT_REFUSED)
        if broken == "oom":
            raise self._refused("Out of memory: Killed process", EXIT_OOM)
        where = env.get(kind, "") if kind == "DATABASE_PATH" else urlsplit(env[kind]).hostname
        if broken == "full":
            raise self._refused(f"cannot write {where}: no space left on device", EXIT_REFUSED)
        if broken == "crash":
            raise self._refused("uncaught exception: TypeError: undefined is not a function", EXIT_CRASH)
        if own_database:
            self._database = root / "database.sqlite3"
        elif kind == "DATABASE_URL":
            self._database = root / connection(env[kind]) / "database.sqlite3"
        else:
            self._database = root / env[kind].lstrip("/")
        self._lock = threading.Lock()
        self._kept: sqlite3.Connection | None = None
        try:
            self._migrate(is_replicated=is_replicated)
        except sqlite3.Error as error:
            raise self._refused(f"cannot open the database {where}: {error}", EXIT_REFUSED) from None
        self._say("info", f"solserver {version} is listening on port {port_of(env)}")

    def _migrate(self, *, is_replicated: bool) -> None:
        if not is_replicated:
            self._kept = sqlite3.connect(self._database, timeout=5.0, check_same_thread=False)
        with self._open() as database:
            if is_replicated:
                database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    def handle(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        """Status and JSON value of the response; `path` may have a query."""
        path = path.partition("?")[0]
        try:
            status, response = self._handle(method, path, body)
        except sqlite3.Error as error:
            status, response = 503, {"status": "failing", "database": str(error)}
        if path not in self._health_paths or status != 200:
            self._say("info" if status < 500 else "error", f"{method} {path} {status}")
        return status, response

    def _handle(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if method in ("GET", "HEAD") and path in self._health_paths:
            return self._health()
        if (method, path) == ("GET", "/notes"):
            with self._open() as database:
                return 200, [
                    {"id": id, "text": text} for id, text in database.execute("SELECT id, text FROM notes ORDER BY id")
                ]
        if (method, path) == ("POST", "/notes"):
            return self._add_note(body)
        return 404, {"error": f"no route for {method} {path}"}

    def _health(self) -> tuple[int, Any]:
        if self._broken == "unhealthy":
            return 500, {"status": "failing", "version": self._version}
        with self._open() as database:
            database.execute("SELECT count(*) FROM notes").fetchone()
        return 200, {"status": "ok", "version": self._version, "machine": self._machine, "database": "ok"}

    def _add_note(self, body: bytes) -> tuple[int, Any]:
        try:
            text = json.loads(body)["text"]
        except (ValueError, KeyError, TypeError):
            return 400, {"error": 'the body must be {"text": "…"}'}
        with self._open() as database:
            id = database.execute("INSERT INTO notes (text) VALUES (?)", (str(text),)).lastrowid
        return 201, {"id": id, "text": str(text)}

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self._kept:
            with self._lock, self._kept:
                yield self._kept
            return
        database = sqlite3.connect(self._database, timeout=5.0)
        try:
            with database:
                yield database
        finally:
            database.close()

    def _released(self) -> Refused:
        """A release command: it migrates, and the process ends."""
        if self._broken == "release":
            return self._refused("migration 42 failed: no such column", EXIT_CRASH)
        self._say("info", "migrated: 42 migrations")
        return Refused("done", 0)

    def _refused(self, message: str, code: int) -> Refused:
        self._say("fatal", message)
        return Refused(message, code)

    def _say(self, level: str, message: str) -> None:
        self._log(json.dumps({"level": level, "message": message}))


def connection(url: str) -> str:
    """The folder below the machine's root that stands for the database of a DATABASE_URL."""
    return f"network/{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def port_of(env: Mapping[str, str]) -> int:
    """The port that the server listens on in the machine."""
    return int(env.get("PORT") or DEFAULT_PORT)


def main() -> int:
    parser = argparse.ArgumentParser(description="A stand-in for solserver.")
    parser.add_argument("--root", type=Path, required=True, help="the folder that stands for the machine's file system")
    parser.add_argument("--listen", type=int, required=True, help="the port to listen on, on the loopback address")
    parser.add_argument("--version", default="")
    parser.add_argument("--requires", default="", help="names of environment variables, separated by commas")
    parser.add_argument("--broken", choices=BROKEN)
    parser.add_argument("--health", default="", help="further paths that answer like /health, with commas between them")
    parser.add_argument("--own-database", action="store_true", help="read neither DATABASE_PATH nor DATABASE_URL")
    parser.add_argument("--no-sigterm-handler", action="store_true", help="let the signal end the process")
    parser.add_argument("--exit-with-parent", action="store_true", help="exit when standard input closes")
    options = parser.parse_args()
    if options.exit_with_parent:
        threading.Thread(target=_terminate_with_parent, daemon=True).start()
    if options.broken == "slow":
        time.sleep(SLOW_SECONDS)
    requires = [name for name in options.requires.split(",") if name]
    try:
        server = Solserver(
            os.environ,
            options.root,
            _print,
            version=options.version,
            requires=requires,
            broken=options.broken,
            health=options.health.split(","),
            own_database=options.own_database,
        )
    except Refused as refused:
        return refused.code
    if options.broken == "restless":
        timer = threading.Timer(RESTLESS_SECONDS, os._exit, [EXIT_CRASH])
        timer.daemon = True
        timer.start()
    listener = ThreadingHTTPServer(("127.0.0.1", options.listen), _handler_for(server))
    for number in () if options.no_sigterm_handler else (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    listener.serve_forever(poll_interval=0.05)
    return 0


def _exit(number: int, frame: object) -> None:
    """Not `listener.shutdown()`, which waits for this thread, nor another thread: this one may hold the lock that a start needs."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def _terminate_with_parent() -> None:
    while os.read(0, 1024):  # not sys.stdin: a thread that holds its lock aborts the interpreter at exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _print(line: str) -> None:
    print(line, flush=True)


def _handler_for(server: Solserver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, value = server.handle(self.command, self.path, body)
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = respond  # noqa: N815 (the library's names)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: `Solserver` writes the logs."""

    return Handler


if __name__ == "__main__":
    sys.exit(main())
