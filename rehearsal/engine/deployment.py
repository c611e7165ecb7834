"""One run over a snapshot: decides the step of each resource, executes and records it.

A preview does the same without the plugins' `create`, `update` and `delete`.
"""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from project.config import ProjectStack
from rehearsal.engine.display import Display
from rehearsal.engine.paths import keep_old
from rehearsal.engine.plugins import DYNAMIC, Diff, Incomplete, Plugin, StepFailed, package
from rehearsal.engine.snapshot import Entry, Snapshot, now
from rehearsal.engine.targets import ALL, NOT_CREATED, NOT_DELETED, Targets
from rehearsal.engine.values import UNKNOWN, Properties, Secret, difference, marked_like, plain

PARALLEL = 8
NOT_SAVED = (
    "the state cannot be saved: {reason}: free some space or make its folder writable, then run the same command again"
)
NOT_REPLACED = "{name} cannot be replaced because it is protected; unprotect it first"


class Stopped(Exception):
    """Another step failed, or the run was interrupted: no new step starts."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A resource as the program declares it."""

    type: str
    name: str
    parent: str
    custom: bool
    inputs: Properties
    version: str = ""
    """Plugin version."""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    additional_secret_outputs: list[str] = field(default_factory=list)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    ignore_changes: list[str] = field(default_factory=list)
    delete_before_replace: bool | None = None
    """None: the plugin decides."""
    aliases: list[str] = field(default_factory=list)
    """Previous URNs of the resource."""


class Deployment:
    """Applies registrations, from many threads. `delete_leftovers` comes after the last one."""

    def __init__(
        self,
        stack: ProjectStack,
        snapshot: Snapshot,
        plugins: dict[str, Plugin],
        display: Display,
        save: Callable[[Snapshot], None] | None,
        *,
        targets: Targets = ALL,
    ) -> None:
        """`save` is called after each change; None for a preview. What is not among the `targets` stays as it is."""
        self.stack = stack
        self.snapshot = snapshot
        self.display = display
        self.preview = save is None
        self._plugins = plugins
        self._save = save
        self._targets = targets
        self._targeted: set[str] = set()
        self._left_out: set[str] = set()
        """What this run has registered and not created."""
        self._planning = threading.Lock()
        """Check and diff run one at a time, as in the CLI."""
        self._seen: set[str] = set()
        self._running = 0
        self._idle = threading.Condition()
        self._stop: Callable[[], None] = lambda: None
        self.stopped = False
        self.failed = False

    def when_stopped(self, call: Callable[[], None]) -> None:
        """Set the callback that stops the program."""
        self._stop = call

    def stop(self) -> None:
        """Start no new step. Running steps finish and are recorded."""
        self.stopped = True
        self._stop()

    def fail(self, urn: str, message: str) -> None:
        self.failed = True
        self.display.error(urn, message)
        self.stop()

    def wait_until_idle(self) -> None:
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0)

    # Registration.

    def register(self, goal: Goal) -> Entry:
        """Bring the resource to `goal` and return its entry. In a preview `id` can be empty, and computed outputs are missing.

        Raises Stopped, also after a failure of this step, which is then already shown."""
        urn = self.urn(goal.type, goal.name, goal.parent)
        with self._step(urn):
            with self._planning:
                act = self._plan(goal, urn)
            return act()

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Set the outputs of a component or the stack. Raises Stopped after a failure, which is then already shown."""
        if urn in self._left_out:
            return
        with self.snapshot.lock:
            entry = next(entry for entry in self.snapshot.done if entry.urn == urn)
            changes = list(difference(entry.outputs, outputs))
            entry.outputs = outputs
        is_of_stack = urn == self.stack.urn
        if is_of_stack:
            self.display.outputs(outputs, changes)
        try:
            if changes or is_of_stack:
                self._record()
        except StepFailed as error:
            self.fail(urn, str(error))
            raise Stopped from None

    def urn(self, type: str, name: str, parent: str) -> str:
        above = parent.rpartition("::")[0].rpartition("::")[2]
        chain = f"{above}$" if above and not parent.startswith(self.stack.urn) else ""
        return f"urn:pulumi:{self.stack.name}::{self.stack.project}::{chain}{type}::{name}"

    @contextmanager
    def _step(self, urn: str) -> Iterator[None]:
        with self._idle:
            if self.stopped:
                raise Stopped
            self._running += 1
        try:
            yield
        except StepFailed as error:
            self.fail(urn, str(error))
            raise Stopped from None
        except Stopped:
            raise
        except BaseException as defect:
            self.fail(urn, f"bug in the embedded engine: {type(defect).__name__}: {defect}")
            raise
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def _plan(self, goal: Goal, urn: str) -> Callable[[], Entry]:
        if urn in self._seen:
            raise StepFailed(f"Duplicate resource URN '{urn}'; try giving it a unique name")
        self._seen.add(urn)
        old = self.snapshot.find([urn, *goal.aliases])
        provider = self._default_provider(goal) if goal.custom else ""
        declared = self._entry(goal, urn, goal.inputs, provider)
        if not self._is_targeted(declared):
            return lambda: self._leave(declared, old)
        if not goal.custom:
            return lambda: self._component(declared, old)
        plugin = self._plugin(goal.type)
        wanted = keep_old(goal.ignore_changes, old.inputs, goal.inputs) if old else goal.inputs
        inputs = self._checked(plugin, urn, old.inputs if old else {}, wanted)
        entry = self._entry(goal, urn, inputs, provider)
        if old is None or old.pending_replacement:
            return lambda: self._create(entry, plugin, instead_of=old)
        diff = self._compare(plugin, old, inputs)
        if diff.replaces and diff.changes is not False:
            if old.protect and goal.protect:  # Both can be changed at once, as with the CLI.
                raise StepFailed(NOT_REPLACED.format(name=old.name))
            entry.inputs = self._checked(plugin, urn, {}, goal.inputs)
            first = diff.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
            return lambda: self._replace(entry, old, plugin, old_first=first)
        if diff.changes or old.init_errors:
            return lambda: self._update(entry, old, plugin)
        return lambda: self._same(entry, old)

    def _entry(self, goal: Goal, urn: str, inputs: Properties, provider: str) -> Entry:
        return Entry(
            urn=urn,
            type=goal.type,
            custom=goal.custom,
            inputs=inputs,
            parent=goal.parent,
            provider=provider,
            dependencies=goal.dependencies,
            property_dependencies=goal.property_dependencies,
            additional_secret_outputs=goal.additional_secret_outputs,
            protect=goal.protect,
            retain_on_delete=goal.retain_on_delete,
            deleted_with=goal.deleted_with,
            created=now(),
            modified=now(),
        )

    def _plugin(self, type: str) -> Plugin:
        if package(type) not in self._plugins:
            raise StepFailed(
                f"the embedded engine has no plugin {package(type)}, which serves {type}: install the Pulumi CLI for it"
            )
        return self._plugins[package(type)]

    def _default_provider(self, goal: Goal) -> str:
        """`<URN>::<id>` of the provider entry of a plugin, created on first use."""
        plugin = package(goal.type)
        suffix = f"_{goal.version.replace('.', '_')}" if goal.version else ""
        type = f"pulumi:providers:{plugin}"
        urn = self.urn(type, f"default{suffix}", "")
        done = next((entry for entry in self.snapshot.done if entry.urn == urn), None)
        if done is None:
            old = self.snapshot.find([urn])
            secret = self.stack.secret_keys
            config = {key: Secret(text) if key in secret else text for key, text in self.stack.config.items()}
            inputs: Properties = config if plugin == DYNAMIC else {"version": goal.version}
            done = Entry(urn=urn, type=type, custom=True, id=old.id if old else str(uuid.uuid4()), inputs=inputs)
            done.outputs, done.created, done.modified = inputs, old.created if old else now(), now()
            self.snapshot.finish(done, old)
        return f"{urn}::{done.id}"

    @staticmethod
    def _checked(plugin: Plugin, urn: str, olds: Properties, news: Properties) -> Properties:
        inputs, failures = plugin.check(urn, plain(olds), plain(news))
        if failures:
            raise StepFailed("\n".join(failures))
        return marked_like(news, inputs, set())

    @staticmethod
    def _compare(plugin: Plugin, old: Entry, inputs: Properties) -> Diff:
        diff = plugin.diff(old.urn, old.id, plain(old.inputs), plain(old.outputs), plain(inputs))
        return diff if diff.changes is not None else Diff(any(difference(old.inputs, inputs)), diff.replaces)

    def _is_targeted(self, declared: Entry) -> bool:
        """Raises StepFailed if it is, and something that it needs is left out."""
        is_dependent = self._targets.dependents and bool(self._targeted & declared.needs())
        if not (declared.urn == self.stack.urn or self._targets.include(declared.urn) or is_dependent):
            return False
        for needed in sorted(self._left_out & declared.needs()):
            raise StepFailed(NOT_CREATED.format(urn=declared.urn, needed=needed))
        if declared.custom:
            self._targeted.add(declared.urn)
        return True

    # Steps.

    def _leave(self, declared: Entry, old: Entry | None) -> Entry:
        """What is no target stays as it is. If it does not exist, its outputs are unknown to the program."""
        if old is None:
            self._left_out.add(declared.urn)
            declared.inputs, declared.is_unknown = {}, True
            return declared
        self.snapshot.finish(old, old)
        self.display.step("same", old.urn, [])
        return old

    def _component(self, entry: Entry, old: Entry | None) -> Entry:
        if old is not None:
            entry.outputs, entry.created, entry.modified = old.outputs, old.created, old.modified
        self.display.step("same" if old else "create", entry.urn, [])
        self._finish(entry, old)
        return entry

    def _same(self, entry: Entry, old: Entry) -> Entry:
        entry.id, entry.outputs = old.id, old.outputs
        entry.created, entry.modified, entry.others = old.created, old.modified, old.others
        self.display.step("same", entry.urn, [])
        self._finish(entry, old)
        return entry

    def _create(self, entry: Entry, plugin: Plugin, instead_of: Entry | None) -> Entry:
        operation = "create" if instead_of is None else "replace"
        if self.preview:
            self.display.step(operation, entry.urn, [])
            entry.outputs = dict(entry.inputs)
            self._finish(entry, instead_of)
            return entry
        self._make(entry, plugin, instead_of, operation, [])
        return entry

    def _replace(self, entry: Entry, old: Entry, plugin: Plugin, *, old_first: bool) -> Entry:
        changes = list(difference(old.inputs, entry.inputs))
        if old_first:
            for deleted in (dependents := self._replaced_with(old)):
                if not self._targets.include(deleted.urn) and not self._targets.dependents:
                    raise StepFailed(NOT_DELETED.format(urn=deleted.urn))
                if deleted.protect:
                    raise StepFailed(NOT_REPLACED.format(name=deleted.name))
            for deleted in [*dependents, old]:
                self._delete(deleted, forget=False)
                deleted.pending_replacement = True
                self._record()
        if self.preview:
            self.display.step("replace", entry.urn, changes)
            entry.outputs = dict(entry.inputs)
            self._finish(entry, old)
            return entry
        self._make(entry, plugin, old if old_first else None, "replace", changes)
        if not old_first:
            old.delete = True  # at the end: until then dependents may need it
            self._record()
        return entry

    def _make(
        self,
        entry: Entry,
        plugin: Plugin,
        instead_of: Entry | None,
        operation: str,
        changes: list[tuple[str, object, object]],
    ) -> None:
        with self.display.timed(operation, entry.urn, changes), self._pending("creating", entry):
            try:
                entry.id, outputs = plugin.create(entry.urn, plain(entry.inputs))
            except Incomplete as incomplete:
                entry.id, entry.init_errors = incomplete.id, incomplete.reasons
                self._take_outputs(entry, incomplete.outputs)
                self.snapshot.finish(entry, instead_of)
                raise
            if not entry.id:
                raise StepFailed("the provider returned no id")
            self._take_outputs(entry, outputs)
            entry.created = entry.modified = now()
            self.snapshot.finish(entry, instead_of)

    def _update(self, entry: Entry, old: Entry, plugin: Plugin) -> Entry:
        changes = list(difference(old.inputs, entry.inputs))
        changes += [("initErrors", "; ".join(old.init_errors), None)] if old.init_errors else []
        entry.id, entry.created, entry.others = old.id, old.created, old.others
        if self.preview:
            self.display.step("update", entry.urn, changes)
            entry.outputs = dict(entry.inputs)
            self._finish(entry, old)
            return entry
        with self.display.timed("update", entry.urn, changes), self._pending("updating", entry):
            try:
                outputs = plugin.update(entry.urn, entry.id, plain(old.inputs), plain(old.outputs), plain(entry.inputs))
            except Incomplete as incomplete:
                old.init_errors, old.modified = incomplete.reasons, now()
                old.inputs = marked_like(entry.inputs, incomplete.inputs, set()) or old.inputs
                self._take_outputs(old, incomplete.outputs)
                raise
            self._take_outputs(entry, outputs)
            entry.modified = now()
            self.snapshot.finish(entry, old)
        return entry

    @staticmethod
    def _take_outputs(entry: Entry, outputs: Properties) -> None:
        entry.outputs = marked_like(entry.inputs, outputs, set(entry.additional_secret_outputs))

    def _replaced_with(self, old: Entry) -> list[Entry]:
        """Dependents that would be replaced together with `old`, in deletion order."""
        found: list[Entry] = []
        for entry in [entry for entry in self.snapshot.dependents(old.urn) if entry.custom and not entry.delete]:
            affected = {key for key, urns in entry.property_dependencies.items() if old.urn in urns}
            inputs = {key: UNKNOWN if key in affected else value for key, value in entry.inputs.items()}
            if self._compare(self._plugin(entry.type), entry, inputs).replaces:
                found += [*self._replaced_with(entry), entry]
        return list(dict.fromkeys(found))

    # Deletion.

    def delete_leftovers(self, *, exclude_protected: bool = False) -> None:
        """Delete what was not registered in this run and what was replaced: in parallel, dependents first.

        What cannot be deleted is kept with its dependencies. A protected resource fails a preview, which is why nothing is deleted
        after one; without a preview, everything that it does not need is deleted first, as the CLI can do. With
        `exclude_protected` it is left out, with all that it needs."""
        leftovers = self._targeted_leftovers() if not self.stopped else []
        protected = [entry for entry in leftovers if entry.protect and not entry.delete]
        if exclude_protected:
            needed = self.snapshot.needed_by(protected)
            leftovers, protected = [entry for entry in leftovers if entry.urn not in needed], []
        if self.preview and protected:
            self._fail_protected(protected)
            return
        deleting = {entry.urn for entry in leftovers if not entry.delete}
        remaining, running = list(leftovers), dict[Future[None], Entry]()
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="delete") as threads:
            while True:
                existing = [*remaining, *running.values()]
                free = [found for found in remaining if found not in protected and _is_free(found, existing)]
                for entry in free if not self.stopped else ():
                    remaining.remove(entry)
                    gone_with = entry.deleted_with in deleting
                    running[threads.submit(self._delete_last, entry, gone_with)] = entry
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    entry = running.pop(future)
                    if future.exception():
                        remaining.append(entry)  # kept, and so are its dependencies
        self._fail_protected(protected)

    def _targeted_leftovers(self) -> list[Entry]:
        """What is left and a target. What is not stays, but fails the run if the program has left it out, or needs a target."""
        leftovers = list(self.snapshot.old)
        if self._targets.are_all:
            return leftovers
        targeted = self._targets.among(leftovers)
        others = [entry for entry in leftovers if entry.urn not in targeted and not entry.is_provider]
        for entry in others:
            if self._seen or targeted & entry.needs():
                self.fail(entry.urn, NOT_DELETED.format(urn=entry.urn))
        return [entry for entry in leftovers if entry.urn in targeted and not self.stopped]

    def _fail_protected(self, protected: Iterable[Entry]) -> None:
        for entry in protected:
            self.fail(entry.urn, f"{entry.name} cannot be deleted because it is protected; unprotect it first")

    def _delete_last(self, entry: Entry, gone_with: bool) -> None:
        with self._step(entry.urn):
            if gone_with:
                self.display.step("delete", entry.urn, [])
                self.snapshot.forget(entry)
                self._record()
            else:
                self._delete(entry, forget=True)

    def _delete(self, entry: Entry, *, forget: bool) -> None:
        if entry.retain_on_delete:
            self.display.step("retain", entry.urn, [])
        elif self.preview or not entry.custom or entry.is_provider or entry.external or entry.pending_replacement:
            self.display.step("delete", entry.urn, [])
        else:
            plugin = self._plugin(entry.type)
            with self._pending("deleting", entry), self.display.timed("delete", entry.urn, []):
                plugin.delete(entry.urn, entry.id, plain(entry.inputs), plain(entry.outputs))
        if forget:
            self.snapshot.forget(entry)
            self._record()

    # Refresh.

    def refresh(self) -> None:
        """Read every object and update the state. An object that cannot be read is kept as it is and fails the run."""
        targeted = self._targets.among(self.snapshot)
        objects = [entry for entry in self.snapshot if entry.custom and not entry.is_provider and not entry.delete]
        entries = [entry for entry in objects if entry.urn in targeted]
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="read") as threads:
            gone = list(threads.map(self._read, entries))
        for entry, is_gone in zip(entries, gone, strict=True):
            if is_gone:
                self.display.step("gone", entry.urn, [])
                self.snapshot.forget(entry)
        self._record()

    def _read(self, entry: Entry) -> bool:
        """Whether the object is gone."""
        if self.stopped:
            return False
        before = entry.outputs
        try:
            id, inputs, outputs = self._plugin(entry.type).read(
                entry.urn, entry.id, plain(entry.inputs), plain(entry.outputs)
            )
            entry.init_errors = []
        except Incomplete as incomplete:
            id, inputs, outputs = incomplete.id, incomplete.inputs or entry.inputs, incomplete.outputs
            entry.init_errors = incomplete.reasons
            self.display.log(entry.urn, f"is in an unhealthy state: {'; '.join(incomplete.reasons)}")
        except StepFailed as error:
            self.failed = True
            self.display.error(entry.urn, str(error))
            return False
        if not id:
            return True
        always = set(entry.additional_secret_outputs)
        entry.id, entry.inputs = id, marked_like(entry.inputs, inputs, set())
        entry.outputs = marked_like(before, marked_like(entry.inputs, outputs, always), set())
        changes = list(difference(before, entry.outputs))
        entry.modified = now() if changes else entry.modified
        self.display.step("changed" if changes else "same", entry.urn, changes)
        return False

    # Recording.

    @contextmanager
    def _pending(self, kind: str, entry: Entry) -> Iterator[None]:
        """Record an operation as pending before it starts, in case this process is killed, and its result after it."""
        with self.snapshot.lock:
            self.snapshot.pending = [operation for operation in self.snapshot.pending if operation[1].urn != entry.urn]
            self.snapshot.pending.append((kind, entry))
        self._record()
        try:
            yield
        finally:
            with self.snapshot.lock:
                self.snapshot.pending.remove((kind, entry))
            self._record()

    def _finish(self, entry: Entry, instead_of: Entry | None) -> None:
        self.snapshot.finish(entry, instead_of)
        if not self.preview and (instead_of is None or instead_of.modified != entry.modified):
            self._record()

    def _record(self) -> None:
        if self._save is None:
            return
        try:
            self._save(self.snapshot)
        except OSError as error:  # for example, a full disk
            raise StepFailed(NOT_SAVED.format(reason=error.strerror or error)) from None


def _is_free(entry: Entry, existing: Iterable[Entry]) -> bool:
    return not any(entry.urn in other.needs() for other in existing if other.urn != entry.urn)
