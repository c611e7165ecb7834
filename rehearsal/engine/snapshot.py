"""The resources in the state, in dependency order, and the pending operations."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.values import Properties


@dataclass(kw_only=True, eq=False)
class Entry:
    """A resource in the state. Compared by identity: during a replacement two entries have the same URN."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    provider: str = ""
    """`<URN>::<id>` of the provider's entry."""
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    additional_secret_outputs: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    """Why the object is incomplete; the next `up` updates it."""
    delete: bool = False
    """Replaced; still to be deleted."""
    pending_replacement: bool = False
    """Deleted; its replacement is still to be created."""
    external: bool = False
    is_unknown: bool = False
    """Not created in this run; not part of the state."""
    created: str = ""
    modified: str = ""
    others: dict[str, Any] = field(default_factory=dict)
    """Other fields of the CLI, kept as they are."""

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")

    def needs(self) -> set[str]:
        """URNs that this resource depends on."""
        provider = self.provider.rpartition("::")[0]
        ordered = {self.parent, provider, self.deleted_with, *self.dependencies}
        return (ordered | {urn for urns in self.property_dependencies.values() for urn in urns}) - {""}


class Snapshot:
    """All entries. `done` are those that this run has processed, in order; `old` are the others."""

    def __init__(self, entries: Iterable[Entry] = (), pending: Iterable[tuple[str, Entry]] = ()) -> None:
        self.old = list(entries)
        self.done: list[Entry] = []
        self.pending = list(pending)
        """`("creating", entry)`: pending operations of a killed run and of this one."""
        self.lock = threading.RLock()

    def __iter__(self) -> Iterator[Entry]:
        with self.lock:
            return iter([*self.done, *self.old])

    def find(self, urns: Iterable[str]) -> Entry | None:
        """The entry of the last run with the first of these URNs that exists."""
        by_urn = {entry.urn: entry for entry in self.old if not entry.delete}
        return next((by_urn[urn] for urn in urns if urn in by_urn), None)

    def finish(self, entry: Entry, instead_of: Entry | None) -> None:
        """Add a processed entry, in place of an old one."""
        with self.lock:
            if instead_of is not None:
                self.old.remove(instead_of)
            self.done.append(entry)

    def forget(self, entry: Entry) -> None:
        """Remove an entry and the references to it."""
        with self.lock:
            for entries in (self.old, self.done):
                if entry in entries:
                    entries.remove(entry)
            if any(other.urn == entry.urn for other in self):
                return
            for other in self:
                other.dependencies = [urn for urn in other.dependencies if urn != entry.urn]
                other.property_dependencies = {
                    key: [urn for urn in urns if urn != entry.urn] for key, urns in other.property_dependencies.items()
                }
                if other.deleted_with == entry.urn:
                    other.deleted_with = ""

    def dependents(self, urn: str) -> list[Entry]:
        return [entry for entry in self if urn in entry.needs()]

    def needed_by(self, entries: Iterable[Entry]) -> set[str]:
        """URNs of the entries, and of everything that they depend on, directly or not."""
        by_urn = {entry.urn: entry for entry in self}
        needed: set[str] = set()
        todo = [entry.urn for entry in entries]
        while todo:
            urn = todo.pop()
            if urn not in needed:
                needed.add(urn)
                todo += by_urn[urn].needs() if urn in by_urn else ()
        return needed


def now() -> str:
    """The current time in the format of the state."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
