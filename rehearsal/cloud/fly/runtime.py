"""Runs the machines: each as a process on this computer or, without a folder, as an object in memory.

Both run the same stand-in with the same environment, root file system (a folder) and volume. A public image whose program is
installed here runs that program (`programs`, `loopback`). `Runtime` is the interface of both.
"""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from rehearsal.cloud.clock import Clock
from rehearsal.cloud.fly import commands
from rehearsal.cloud.fly.loopback import Loopback, below, free_port
from rehearsal.cloud.fly.programs import PROGRAMS, SEARCH_PATH, Program
from rehearsal.cloud.store import Document
from rehearsal.standins import idle, solserver
from rehearsal.standins.exit_with_parent import EXIT_WITH_PARENT

WITH_REPLICA = "etc/with-replica"
METRICS_PORT = 9090
"""Litestream's metrics."""
CRASH_SECONDS = 0.05
"""Time until a program in memory fails at its start."""
SIGNALLED = 128
"""The exit code of a process that was ended by a signal is this plus the signal's number."""


class NoResponse(Exception):
    """The machine did not respond; the message is the reason, as a health check reports it."""


@dataclass(frozen=True)
class Exit:
    """The end of a process. `at` is a time of the clock; `code` is 128 + n after signal n."""

    at: float
    code: int
    oom: bool = False

    @property
    def signal(self) -> int:
        """The signal that ended it; 0 if it ended by itself."""
        return self.code - SIGNALLED if self.code > SIGNALLED else 0


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a process needs to start."""

    image: Document
    config: Document
    env: dict[str, str]
    root: Path
    at: float
    """A time of the clock."""

    @property
    def place(self) -> tuple[str, str]:
        """App and process group, the parts of the private name."""
        return self.env["FLY_APP_NAME"], (self.config.get("metadata") or {}).get("fly_process_group", "app")


class Runtime(Protocol):
    """One process for each machine, by the id of the machine."""

    def start(self, id: str, start: Start) -> None: ...

    def exit(self, id: str) -> Exit | None:
        """The end of the last process; None while it runs."""

    def stop(self, id: str, seconds: float) -> None:
        """Terminate the process, and kill it after `seconds`. Does not wait."""

    def kill(self, id: str, code: int, *, oom: bool) -> None:
        """End the process at once with this exit code, as in a crash."""

    def ask(self, id: str, port: int, method: str, path: str, *, body: bytes = b"", seconds: float = 5.0) -> Reply:
        """One HTTP request to a port of the machine. Raises Unanswered."""

    def execute(self, id: str, command: Sequence[str], seconds: float) -> Document:
        """Run a command in the machine. Returns Fly's response."""

    def memory(self, id: str) -> int:
        """What the process uses, in bytes; 0 if that is not known."""

    def close(self) -> None:
        """End all processes."""


class InMemory:
    """Runs the stand-in as an object, without process, thread or socket. Its database is a real file."""

    def __init__(self, clock: Clock, log: Callable[[str, str], None]) -> None:
        self._clock, self._log = clock, log
        self._servers: dict[str, tuple[solserver.Solserver | None, int, float]] = {}
        self._starts: dict[str, Start] = {}
        self._exits: dict[str, Exit] = {}

    def start(self, id: str, start: Start) -> None:
        self._exits.pop(id, None)
        self._starts[id] = start
        image = start.image
        if image["runs"] in PROGRAMS:
            self._servers[id] = (None, PROGRAMS[image["runs"]].port, start.at)
            return
        ready_at = start.at + (solserver.SLOW_SECONDS if image["broken"] == "slow" else 0.0)
        try:
            server = solserver.Solserver(
                start.env,
                start.root,
                lambda line: self._log(id, line),
                version=image["version"],
                requires=image["requires"],
                broken=image["broken"],
                health=image.get("health", ()),
                own_database=image.get("own_database", False),
                is_replicated=False,
            )
        except solserver.Refused as refused:
            seconds = solserver.RELEASE_SECONDS if start.env.get("RELEASE_COMMAND") else CRASH_SECONDS
            self._exits[id] = Exit(start.at + seconds, refused.code, oom=refused.code == solserver.EXIT_OOM)
            self._servers[id] = (None, 0, ready_at)
        else:
            self._servers[id] = (server, solserver.port_of(start.env), ready_at)
            if image["broken"] == "restless":
                self._exits[id] = Exit(start.at + solserver.RESTLESS_SECONDS, solserver.EXIT_CRASH)

    def exit(self, id: str) -> Exit | None:
        if id not in self._servers:
            return Exit(0.0, 0)
        exit = self._exits.get(id)
        return exit if exit and exit.at <= self._clock.now() else None

    def stop(self, id: str, seconds: float) -> None:
        if self.exit(id) is None:
            handles = self._starts[id].image["handles_sigterm"]
            self._exits[id] = Exit(self._clock.now(), 0 if handles else SIGNALLED + signal.SIGTERM)

    def kill(self, id: str, code: int, *, oom: bool) -> None:
        self._exits[id] = Exit(self._clock.now(), code, oom)

    def ask(self, id: str, port: int, method: str, path: str, *, body: bytes = b"", seconds: float = 5.0) -> Reply:
        server, listens_on, ready_at = self._servers.get(id, (None, 0, 0.0))
        if self.exit(id) or port != listens_on or self._clock.now() < ready_at:
            raise NoResponse(f"connect: connection refused (port {port})")
        if server is None:
            return Reply(200, idle.ANSWER)
        status, value = server.handle(method, path, body)
        return Reply(status, msgspec.json.encode(value))

    def execute(self, id: str, command: Sequence[str], seconds: float) -> Document:
        start = self._starts[id]
        return commands.run(command, start.env, start.root, seconds, lambda text: below(start.root, text))

    def memory(self, id: str) -> int:
        return 0

    def close(self) -> None:
        self._servers.clear()


class Processes:
    """Runs a process for each machine. It exits with this process: its standard input is a pipe from here."""

    def __init__(self, clock: Clock, log: Callable[[str, str], None], loopback: Loopback) -> None:
        self._clock, self._log, self._loopback = clock, log, loopback
        self._running: dict[str, tuple[subprocess.Popen[str], dict[int, int]]] = {}
        """The process, and the local port for each port of the machine."""
        self._starts: dict[str, Start] = {}
        self._exits: dict[str, Exit] = {}
        self._forced: dict[str, Exit] = {}

    def start(self, id: str, start: Start) -> None:
        program = PROGRAMS.get(start.image["runs"])
        if program:
            ports = {program.port: self._loopback.port(*start.place, program.port)}
            command, env = self._program(id, program, start, ports[program.port])
        else:
            inner = solserver.port_of(start.env)
            ports = {inner: free_port(), METRICS_PORT: self._loopback.port(*start.place, METRICS_PORT)}
            command, env = [*_standin(start, ports[inner]), "--exit-with-parent"], start.env
            if start.env.get("BUCKET_NAME") and (start.root / WITH_REPLICA).exists():
                command, env = self._replicated(id, start, _standin(start, ports[inner]))
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ.get("PATH", ""), **env, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._exits.pop(id, None)
        self._forced.pop(id, None)
        self._running[id] = (process, ports)
        self._starts[id] = start
        threading.Thread(target=self._read_logs, args=(id, process), daemon=True).start()

    def _program(self, id: str, program: Program, start: Start, port: int) -> tuple[list[str], dict[str, str]]:
        """The command and environment of a real program, or of an idle stand-in if it is not installed."""
        found = program.path()
        if found is None:
            self._log(
                id,
                f"NOT RUN: {program.binary} is not installed here (`make monitoring-tools`); an idle stand-in takes its place",
            )
            return [*EXIT_WITH_PARENT, sys.executable, "-m", "rehearsal.standins.idle", "--listen", str(port)], {}
        self._translate_files(start)
        arguments = list((start.config.get("init") or {}).get("cmd") or ())
        if program.listens and not any(argument.startswith(program.listens) for argument in arguments):
            arguments.append(f"{program.listens}:{program.port}")
        if program.timeout_flag:
            arguments.append(f"{program.timeout_flag}{0.5 / self._loopback.speed:g}")
        if not program.listens:
            arguments = arguments[1:]  # the entry point of the image expects the program's name first
        env = {name: self._loopback.text(value, *start.place) for name, value in start.env.items()}
        command = [
            *EXIT_WITH_PARENT,
            found,
            *(self._loopback.argument(argument, start.root, *start.place) for argument in arguments),
        ]
        return command, {**env, **self._loopback.environment}

    def _replicated(self, id: str, start: Start, server: list[str]) -> tuple[list[str], dict[str, str]]:
        """Start the server as the released image does: with `with-replica`."""
        if shutil.which("litestream", path=SEARCH_PATH) is None:
            self._log(id, "NOT RUN: litestream is not installed here (`make monitoring-tools`); nothing is replicated")
            return [*server, "--exit-with-parent"], start.env
        self._translate_files(start)
        settings = {
            "PATH": f"{SEARCH_PATH}:{os.environ.get('PATH', '')}",
            "LITESTREAM_CONFIG": str(start.root / "etc/litestream.yml"),
            "LITESTREAM_DATABASE": below(start.root, start.env["DATABASE_PATH"]),
        }
        return [*EXIT_WITH_PARENT, "sh", str(start.root / WITH_REPLICA), *server], {**start.env, **settings}

    def _translate_files(self, start: Start) -> None:
        for file in start.config.get("files") or ():
            path = start.root / file["guest_path"].strip("/")
            database = below(start.root, start.env.get("DATABASE_PATH", "/"))
            text = self._loopback.text(path.read_text(), *start.place)
            path.write_text(text.replace("path: ${DATABASE_PATH}", f"path: {database}"))

    def exit(self, id: str) -> Exit | None:
        if id not in self._running:
            return Exit(0.0, 0)
        code = self._running[id][0].poll()
        if code is not None and id not in self._exits:
            forced = self._forced.get(id)
            code = SIGNALLED - code if code < 0 else code
            oom = forced.oom if forced else code == solserver.EXIT_OOM
            self._exits[id] = Exit(self._clock.now(), forced.code if forced else code, oom)
        return self._exits.get(id)

    def stop(self, id: str, seconds: float) -> None:
        if self.exit(id) is None:
            process = self._running[id][0]
            process.terminate()
            threading.Thread(target=_kill_after, args=(process, seconds), daemon=True).start()

    def kill(self, id: str, code: int, *, oom: bool) -> None:
        if self.exit(id) is None:
            self._forced[id] = Exit(0.0, code, oom)
            self._running[id][0].kill()

    def ask(self, id: str, port: int, method: str, path: str, *, body: bytes = b"", seconds: float = 5.0) -> Reply:
        if self.exit(id) is not None or port not in self._running[id][1]:
            raise NoResponse(f"connect: connection refused (port {port})")
        connection = http.client.HTTPConnection("127.0.0.1", self._running[id][1][port], timeout=seconds)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return Reply(response.status, response.read())
        except TimeoutError:
            raise NoResponse(f"timeout after {seconds:g} s (port {port})") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoResponse(f"connect: {type(error).__name__} (port {port})") from None
        finally:
            connection.close()

    def execute(self, id: str, command: Sequence[str], seconds: float) -> Document:
        start = self._starts[id]
        env = {**start.env, **self._loopback.environment}
        return commands.run(
            command, env, start.root, seconds, lambda text: self._loopback.argument(text, start.root, *start.place)
        )

    def memory(self, id: str) -> int:
        running = self._running.get(id)
        with contextlib.suppress(OSError):
            if running:
                pages = int(Path(f"/proc/{running[0].pid}/statm").read_text().split()[1])
                return pages * os.sysconf("SC_PAGESIZE")
        return 0

    def close(self) -> None:
        for process, _ in self._running.values():
            process.terminate()
        for process, _ in self._running.values():
            _kill_after(process, 2.0)
        self._loopback.close()

    def _read_logs(self, id: str, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            with contextlib.suppress(Exception):  # the world may be closed while the last lines arrive
                self._log(id, line.rstrip("\n"))


def _standin(start: Start, port: int) -> list[str]:
    image = start.image
    command = [sys.executable, "-m", f"rehearsal.standins.{image['runs']}"]
    command += ["--root", str(start.root), "--listen", str(port), "--version", image["version"]]
    command += ["--requires", ",".join(image["requires"])] if image["requires"] else []
    command += ["--health", ",".join(image["health"])] if image.get("health") else []
    command += ["--own-database"] if image.get("own_database") else []
    command += [] if image["handles_sigterm"] else ["--no-sigterm-handler"]
    return command + (["--broken", image["broken"]] if image["broken"] else [])


def _kill_after(process: "subprocess.Popen[Any]", seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()
