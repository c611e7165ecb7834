"""What exists, as far as the engine knows: entries in dependency order, and what was being done when a run was killed."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.values import Properties


@dataclass(kw_only=True, eq=False)
class Entry:
    """One resource. Compared by identity: while it is replaced, two entries have the same URN."""

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
    """`<URN of the provider's entry>::<its id>`."""
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    additional_secret_outputs: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    """Why the object is not as it should be; the next `up` mends it."""
    delete: bool = False
    """Replaced already; only the deletion is left to do."""
    pending_replacement: bool = False
    """Deleted already; the new one is still to be made."""
    external: bool = False
    created: str = ""
    modified: str = ""
    others: dict[str, Any] = field(default_factory=dict)
    """Fields of the CLI's that this engine only keeps."""

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    @property
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")

    def needs(self) -> set[str]:
        """URNs of what must exist as long as this does."""
        provider = self.provider.rpartition("::")[0]
        ordered = {self.parent, provider, self.deleted_with, *self.dependencies}
        return (ordered | {urn for urns in self.property_dependencies.values() for urn in urns}) - {""}


class Snapshot:
    """All entries. `done` are those that this run has dealt with, in the order in which it did; `old` are the rest."""

    def __init__(self, entries: Iterable[Entry] = (), pending: Iterable[tuple[str, Entry]] = ()) -> None:
        self.old = list(entries)
        self.done: list[Entry] = []
        self.pending = list(pending)
        """`("creating", entry)`: what a killed run was at, and what this one is at."""
        self.lock = threading.RLock()

    def __iter__(self) -> Iterator[Entry]:
        with self.lock:
            return iter([*self.done, *self.old])

    def find(self, urns: Iterable[str]) -> Entry | None:
        """The living entry of the last run with the first of these URNs that there is."""
        by_urn = {entry.urn: entry for entry in self.old if not entry.delete}
        return next((by_urn[urn] for urn in urns if urn in by_urn), None)

    def finish(self, entry: Entry, instead_of: Entry | None) -> None:
        """`entry` is how things are now. It takes the place of an old one, which is forgotten."""
        with self.lock:
            if instead_of is not None:
                self.old.remove(instead_of)
            self.done.append(entry)

    def forget(self, entry: Entry) -> None:
        """The object is gone; nobody depends on it any more."""
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


def now() -> str:
    """The time as state holds it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
