"""The resources that a run is limited to: `--target`, `--target-dependents` and `--exclude` of the CLI."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rehearsal.engine.snapshot import Entry

NOT_CREATED = "Resource '{urn}' depends on '{needed}' which was not specified in --target list."
NOT_DELETED = (
    "Resource '{urn}' will be destroyed but was not specified in --target list.\n"
    "Either include resource in --target list or pass --target-dependents to proceed."
)


@dataclass(frozen=True, kw_only=True)
class Targets:
    """URNs, in which `*` stands for any text without a colon and `**` for any text. Without any, all resources are meant."""

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dependents: bool = False
    """Whether what depends on a target is one too."""

    @property
    def are_all(self) -> bool:
        return not (self.only or self.exclude)

    def include(self, urn: str) -> bool:
        return (not self.only or _matches(urn, self.only)) and not _matches(urn, self.exclude)

    def among(self, entries: Iterable[Entry]) -> set[str]:
        """The URNs of the entries that are targets. The entries are in dependency order."""
        found: set[str] = set()
        for entry in entries:
            if self.include(entry.urn) or (self.dependents and found & entry.needs()):
                found.add(entry.urn)
        return found


ALL = Targets()


def _matches(urn: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(_expression(pattern), urn) for pattern in patterns)


def _expression(pattern: str) -> str:
    return "".join({"**": ".*", "*": "[^:]*"}.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", pattern))
