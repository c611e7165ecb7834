"""preview, up, refresh and destroy, from reading the stack to the exit code."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from project.config import DecryptedConfig
from rehearsal.engine.backend import Backend
from rehearsal.engine.deployment import Deployment
from rehearsal.engine.display import Display
from rehearsal.engine.local_command import CommandPlugin
from rehearsal.engine.monitor import Server
from rehearsal.engine.plugins import DYNAMIC, DynamicPlugin, Plugin
from rehearsal.engine.program import ERROR_WAS_SHOWN
from rehearsal.engine.random_values import RandomPlugin
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.values import Properties, plain

SCRIPT = Path(__file__).with_name("program.py")
FORCED = 8
"""Exit code of a run that was interrupted twice, as the CLI has it."""


class NotForgotten(Exception):
    """The resource cannot be taken out of the state; the message says why."""


class Engine:
    """Runs operations on one stack; each returns its `Display`, whose `errors` are empty after success."""

    def __init__(self, stack: DecryptedConfig, backend: Backend | None = None) -> None:
        self.stack = stack
        self.backend = backend or Backend(stack)

    def preview(self, *, refresh: bool = False) -> Display:
        """What `up` would do. Changes nothing; calls nobody unless `refresh` says to look first."""
        display = Display(f"Previewing update ({self.stack.name})", preview=True)
        snapshot = self.backend.load()
        with self._plugins(self.stack.config) as (server, plugins):
            if refresh:
                self._refresh(snapshot, server, plugins, display, save=None)
            if not display.errors:
                self._run(snapshot, server, plugins, display, save=None)
        display.summary()
        return display

    def up(self, *, refresh: bool = False, skip_preview: bool = False) -> Display:
        """Make the world be as the program says. A preview comes first: what it refuses is refused before anything changes."""
        display = Display(f"Updating ({self.stack.name})")
        with self.backend.locked(), self._plugins(self.stack.config) as (server, plugins):
            snapshot = self._taken_up(display)
            if refresh:
                self._refresh(snapshot, server, plugins, display, self.backend.save)
                snapshot = self.backend.load()
            if not skip_preview and not display.errors:
                first = Display("", preview=True, quiet=True)
                self._run(self.backend.load(), server, plugins, first, save=None)
                display.errors += first.errors
            if not display.errors:
                self._run(snapshot, server, plugins, display, self.backend.save)
        display.summary()
        return display

    def refresh(self) -> Display:
        """Compare the state with the world, and take over what is different."""
        display = Display(f"Refreshing ({self.stack.name})")
        with self.backend.locked():
            snapshot = self._taken_up(display)
            with self._plugins(_stored_config(snapshot)) as (server, plugins):
                self._refresh(snapshot, server, plugins, display, self.backend.save)
        display.summary()
        return display

    def destroy(self) -> Display:
        """Delete everything that is in the state, dependents first."""
        display = Display(f"Destroying ({self.stack.name})")
        with self.backend.locked():
            snapshot = self._taken_up(display)
            with self._plugins(_stored_config(snapshot)) as (server, plugins):
                server.monitor.deployment = Deployment(self.stack, snapshot, plugins, display, self.backend.save)
                with self._interruptible(server.monitor.deployment):
                    server.monitor.deployment.delete_leftovers()
        display.summary()
        return display

    def outputs(self) -> Properties:
        """The stack's outputs, secrets marked."""
        return next((entry.outputs for entry in self.backend.load() if entry.urn == self.stack.urn), {})

    def export(self) -> dict[str, Any]:
        """What `pulumi stack export` prints."""
        return {"version": 3, "deployment": self.backend.deployment(self.backend.load())}

    def unprotect(self, urns: Collection[str]) -> None:
        """`pulumi state unprotect`; of every resource when no URN is given."""
        with self.backend.locked():
            snapshot = self.backend.load()
            for entry in snapshot:
                entry.protect = entry.protect and bool(urns) and entry.urn not in urns
            self.backend.save(snapshot)

    def forget(self, urn: str, *, with_dependents: bool) -> None:
        """`pulumi state delete`: the object stays as it is, and the stack knows of it no more. Raises NotForgotten."""
        with self.backend.locked():
            snapshot = self.backend.load()
            going = [urn]
            for each in going:  # It grows: what depends on a dependent goes too.
                going += [other.urn for other in snapshot.dependents(each) if other.urn not in going]
            if len(going) > 1 and not with_dependents:
                raise NotForgotten(f"{urn} can't be safely deleted because {', '.join(going[1:])} depend on it")
            for each in reversed(going):
                entry = snapshot.find([each])
                if entry is None:
                    raise NotForgotten(f"No such resource {each!r} exists in the current state")
                if entry.protect:
                    raise NotForgotten(f"{each} can't be safely deleted because it is protected: unprotect it first")
                snapshot.forget(entry)
            self.backend.save(snapshot)

    def _taken_up(self, display: Display) -> Snapshot:
        """What the last run left. Of what a killed one was at, only creations matter: they may have happened."""
        snapshot = self.backend.load()
        snapshot.pending = [(kind, entry) for kind, entry in snapshot.pending if kind == "creating"]
        for _, entry in snapshot.pending:
            display.say(entry.urn, "was being created when the last run was killed; what it made is looked for again")
        return snapshot

    @contextmanager
    def _plugins(self, config: Properties) -> Iterator[tuple[Server, dict[str, Plugin]]]:
        server = Server()

        def say(urn: str, line: str) -> None:
            server.monitor.deployment.display.say(urn, line)

        dynamic = DynamicPlugin(
            self.stack.folder, self.stack.project, config, server.address, lambda line: say("", line)
        )
        plugins: dict[str, Plugin] = {
            DYNAMIC: dynamic,
            "command": CommandPlugin(self.stack.folder, say),
            "random": RandomPlugin(),
        }
        try:
            yield server, plugins
        finally:
            dynamic.close()
            server.close()

    def _refresh(
        self,
        snapshot: Snapshot,
        server: Server,
        plugins: dict[str, Plugin],
        display: Display,
        save: Callable[[Snapshot], None] | None,
    ) -> None:
        server.monitor.deployment = Deployment(self.stack, snapshot, plugins, display, save)
        with self._interruptible(server.monitor.deployment):
            server.monitor.deployment.refresh()

    def _run(
        self,
        snapshot: Snapshot,
        server: Server,
        plugins: dict[str, Plugin],
        display: Display,
        save: Callable[[Snapshot], None] | None,
    ) -> None:
        """The program, and all that comes of it."""
        deployment = server.monitor.deployment = Deployment(self.stack, snapshot, plugins, display, save)
        environment = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(self.stack.config),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(self.stack.secret_keys)),
        }
        phase = "preview" if save is None else "update"
        process = subprocess.Popen(
            [sys.executable, "-u", SCRIPT, server.address, server.address, self.stack.project, self.stack.name, phase],
            cwd=self.stack.folder,
            env=environment,
            stdin=subprocess.PIPE,  # Its end tells the program that this engine is gone.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        deployment.when_stopped(lambda: _end(process, display))
        assert process.stdout is not None
        with self._interruptible(deployment):
            for line in process.stdout:
                display.say("", line.rstrip())
            code = process.wait()
            deployment.wait_until_idle()
        if code and not deployment.stopped and code != ERROR_WAS_SHOWN:
            display.error("", f"the program ended with exit code {code}")

    @contextmanager
    def _interruptible(self, deployment: Deployment) -> Iterator[None]:
        """The first Ctrl-C lets running steps end and begins no others; the second ends the process, and leaves them pending."""
        interrupted = False

        def interrupt(number: int, frame: object) -> None:
            nonlocal interrupted
            if interrupted:
                self.backend.unlock()
                os._exit(FORCED)
            interrupted = True
            deployment.display.error(
                "", "interrupted: running steps are finished first; press Ctrl-C again to leave at once"
            )
            deployment.stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end(process: subprocess.Popen[str], display: Display) -> None:
    display.program_is_ending = True
    process.send_signal(signal.SIGINT)


def _stored_config(snapshot: Snapshot) -> Properties:
    """The configuration of the last `up`, which is what the CLI gives providers in `refresh` and `destroy`."""
    urn = "::pulumi:providers:pulumi-python::default"
    stored = next((entry.inputs for entry in snapshot if entry.urn.endswith(urn)), {})
    return {key: plain(value) for key, value in stored.items()}
