"""The operations: preview, up, refresh, destroy, and changes to the state."""

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

from project.config import DecryptedStack
from rehearsal.engine.backend import Backend
from rehearsal.engine.deployment import Deployment
from rehearsal.engine.display import Display
from rehearsal.engine.local_command import CommandPlugin
from rehearsal.engine.monitor import Server
from rehearsal.engine.plugins import DYNAMIC, DynamicPlugin, Plugin
from rehearsal.engine.program import ERROR_WAS_SHOWN
from rehearsal.engine.random_values import RandomPlugin
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.targets import ALL, Targets
from rehearsal.engine.values import Properties, plain
from rehearsal.processes import handled_signals

SCRIPT = Path(__file__).with_name("program.py")
FORCED = 8
"""Exit code after a second interrupt, as with the CLI."""


class NotDeletable(Exception):
    """The resource cannot be removed from the state; the message is the reason."""


class Engine:
    """Runs operations on one stack; each returns its `Display`, whose `errors` are empty after success."""

    def __init__(self, stack: DecryptedStack, backend: Backend | None = None) -> None:
        self.stack = stack
        self.backend = backend or Backend(stack)

    def preview(self, *, refresh: bool = False, targets: Targets = ALL) -> Display:
        """Show what `up` would do. Calls the vendors only with `refresh`."""
        display = Display(f"Previewing update ({self.stack.name})", preview=True)
        snapshot = self.backend.load()
        with self._plugins(self.stack.config) as (server, plugins):
            if refresh:
                self._refresh(snapshot, server, plugins, display, save=None, targets=targets)
            if not display.errors:
                self._run(snapshot, server, plugins, display, save=None, targets=targets)
        display.summary()
        return display

    def up(self, *, refresh: bool = False, skip_preview: bool = False, targets: Targets = ALL) -> Display:
        """Apply the program. Previews first, so that an invalid program changes nothing."""
        display = Display(f"Updating ({self.stack.name})")
        with self.backend.locked(), self._plugins(self.stack.config) as (server, plugins):
            snapshot = self._load_for_run(display)
            if refresh:
                self._refresh(snapshot, server, plugins, display, self.backend.save, targets=targets)
                snapshot = self.backend.load()
            if not skip_preview and not display.errors:
                first = Display("", preview=True, quiet=True)
                self._run(self.backend.load(), server, plugins, first, save=None, targets=targets)
                display.errors += first.errors
            if not display.errors:
                self._run(snapshot, server, plugins, display, self.backend.save, targets=targets)
        display.summary()
        return display

    def refresh(self, *, targets: Targets = ALL) -> Display:
        """Update the state to the actual objects."""
        display = Display(f"Refreshing ({self.stack.name})")
        with self.backend.locked():
            snapshot = self._load_for_run(display)
            with self._plugins(_stored_config(snapshot)) as (server, plugins):
                self._refresh(snapshot, server, plugins, display, self.backend.save, targets=targets)
        display.summary()
        return display

    def destroy(
        self, *, skip_preview: bool = False, exclude_protected: bool = False, targets: Targets = ALL
    ) -> Display:
        """Delete every resource in the state, dependents first. Previews first: a protected one is then found before any deletion."""
        display = Display(f"Destroying ({self.stack.name})")
        with self.backend.locked():
            snapshot = self._load_for_run(display)
            with self._plugins(_stored_config(snapshot)) as (server, plugins):
                for save in ([] if skip_preview else [None]) + [self.backend.save]:
                    shown = display if save else Display("", preview=True, quiet=True)
                    seen = snapshot if save else self.backend.load()
                    server.monitor.deployment = Deployment(self.stack, seen, plugins, shown, save, targets=targets)
                    with self._interruptible(server.monitor.deployment):
                        server.monitor.deployment.delete_leftovers(exclude_protected=exclude_protected)
                    if shown is not display:
                        display.errors += shown.errors
                    if display.errors:
                        break
        display.summary()
        return display

    def outputs(self) -> Properties:
        """The stack's outputs, secrets marked."""
        return next((entry.outputs for entry in self.backend.load() if entry.urn == self.stack.urn), {})

    def export(self) -> dict[str, Any]:
        """The output of `pulumi stack export`."""
        return {"version": 3, "deployment": self.backend.deployment(self.backend.load())}

    def unprotect(self, urns: Collection[str]) -> None:
        """`pulumi state unprotect`, for all resources if no URN is given."""
        with self.backend.locked():
            snapshot = self.backend.load()
            for entry in snapshot:
                entry.protect = entry.protect and bool(urns) and entry.urn not in urns
            self.backend.save(snapshot)

    def forget(self, urn: str, *, with_dependents: bool) -> None:
        """`pulumi state delete`: removes the resource from the state, not the object. Raises NotDeletable."""
        with self.backend.locked():
            snapshot = self.backend.load()
            removed = [urn]
            for gone in removed:  # grows in the loop: dependents of dependents too
                removed += [other.urn for other in snapshot.dependents(gone) if other.urn not in removed]
            if len(removed) > 1 and not with_dependents:
                raise NotDeletable(f"{urn} can't be safely deleted because {', '.join(removed[1:])} depend on it")
            for gone in reversed(removed):
                entry = snapshot.find([gone])
                if entry is None:
                    raise NotDeletable(f"No such resource {gone!r} exists in the current state")
                if entry.protect:
                    raise NotDeletable(f"{gone} can't be safely deleted because it is protected: unprotect it first")
                snapshot.forget(entry)
            self.backend.save(snapshot)

    def _load_for_run(self, display: Display) -> Snapshot:
        """The state of the last run. Of its pending operations only creations are kept: they may have happened."""
        snapshot = self.backend.load()
        snapshot.pending = [(kind, entry) for kind, entry in snapshot.pending if kind == "creating"]
        for _, entry in snapshot.pending:
            display.log(entry.urn, "was being created when the last run was killed; an existing object is looked up")
        return snapshot

    @contextmanager
    def _plugins(self, config: Properties) -> Iterator[tuple[Server, dict[str, Plugin]]]:
        server = Server()

        def log(urn: str, line: str) -> None:
            server.monitor.deployment.display.log(urn, line)

        dynamic = self.dynamic_plugin(config, server, log)
        plugins: dict[str, Plugin] = {
            DYNAMIC: dynamic,
            "command": CommandPlugin(self.stack.folder, log),
            "random": RandomPlugin(),
        }
        try:
            yield server, plugins
        finally:
            dynamic.close()
            server.close()

    def dynamic_plugin(self, config: Properties, server: Server, log: Callable[[str, str], None]) -> Plugin:
        """The plugin of our own resources. `log` shows a line of output, of a resource or, without a URN, of the provider."""
        return DynamicPlugin(self.stack.folder, self.stack.project, config, server.address, lambda line: log("", line))

    def _refresh(
        self,
        snapshot: Snapshot,
        server: Server,
        plugins: dict[str, Plugin],
        display: Display,
        save: Callable[[Snapshot], None] | None,
        *,
        targets: Targets,
    ) -> None:
        server.monitor.deployment = Deployment(self.stack, snapshot, plugins, display, save, targets=targets)
        with self._interruptible(server.monitor.deployment):
            server.monitor.deployment.refresh()

    def _run(
        self,
        snapshot: Snapshot,
        server: Server,
        plugins: dict[str, Plugin],
        display: Display,
        save: Callable[[Snapshot], None] | None,
        *,
        targets: Targets,
    ) -> None:
        """Run the program and apply what it registers."""
        deployment = server.monitor.deployment = Deployment(
            self.stack, snapshot, plugins, display, save, targets=targets
        )
        environment = {
            "PULUMI_CONFIG": json.dumps(self.stack.config),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(self.stack.secret_keys)),
        }
        with self._interruptible(deployment):
            code = self.run_program(server, deployment, environment)
            deployment.wait_until_idle()
        if code and not deployment.stopped and code != ERROR_WAS_SHOWN:
            display.error("", f"the program ended with exit code {code}")

    def run_program(self, server: Server, deployment: Deployment, environment: dict[str, str]) -> int:
        """Run the program in a process of its own, with these variables besides ours. Returns its exit code."""
        display, phase = deployment.display, "preview" if deployment.preview else "update"
        with subprocess.Popen(
            [sys.executable, "-u", SCRIPT, server.address, server.address, self.stack.project, self.stack.name, phase],
            cwd=self.stack.folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,  # closes when this engine exits
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            deployment.when_stopped(lambda: _end(process, display))
            assert process.stdout is not None
            for line in process.stdout:
                display.log("", line.rstrip())
        return process.returncode

    @contextmanager
    def _interruptible(self, deployment: Deployment) -> Iterator[None]:
        """The first Ctrl-C lets running steps finish and starts no others. The second exits and leaves them pending."""
        interrupted = False

        def interrupt(number: int) -> None:
            nonlocal interrupted
            if interrupted:
                self.backend.unlock()
                os._exit(FORCED)
            interrupted = True
            text = "interrupted: waiting for running steps; press Ctrl-C again to exit at once"
            deployment.display.error("", text, at_once=True)
            deployment.stop()

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with handled_signals(interrupt):
            yield


def _end(process: subprocess.Popen[str], display: Display) -> None:
    display.program_is_ending = True
    process.send_signal(signal.SIGINT)


def _stored_config(snapshot: Snapshot) -> Properties:
    """The configuration of the last `up`: the CLI passes it to providers in `refresh` and `destroy`."""
    urn = "::pulumi:providers:pulumi-python::default"
    stored = next((entry.inputs for entry in snapshot if entry.urn.endswith(urn)), {})
    return {key: plain(value) for key, value in stored.items()}
