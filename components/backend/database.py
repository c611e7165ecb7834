"""Where the rows are: `solos:database` of the stack's config, as typed values or everything that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from components.backend.environment import Database
from components.config import StackConfig
from providers.fly import managed_postgres

KEYS: Mapping[Database, tuple[str, ...]] = {
    "sqlite": ("fromSnapshot",),
    "postgres": ("name", "plan", "diskSizeGb", "pgMajorVersion"),
}
"""What may be said about each kind, and of no other."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The kind, then what is said about SQLite on the volume of fly.toml, then about a cluster of Managed Postgres."""

    kind: Database
    restore_drill: bool
    """Whether each release proves that its database comes back from a snapshot or a backup."""

    from_snapshot: str | None
    """A snapshot `vs_…` that the volume is made from, when it is made."""

    name: str
    """Of the cluster; empty for `<app>-db`. Another one moves the server to another cluster: a restored one, say."""
    plan: str
    disk_size_gb: int
    pg_major_version: managed_postgres.Version


def read(config: StackConfig) -> DatabaseSettings:
    """Read `solos:database`; what is wrong is noted in `config`."""
    given = config.table("database", ("kind", "restoreDrill", *(key for keys in KEYS.values() for key in keys)))
    kind: Database = "postgres" if given.get("kind") == "postgres" else "sqlite"
    if given.get("kind", kind) != kind:
        config.refuse("database.kind", f"must be {' or '.join(KEYS)}, not {given['kind']!r}")
    for other, keys in KEYS.items():
        for key in given.keys() & set(keys) if other != kind else ():
            config.refuse(f"database.{key}", f"is for kind {other}, and this is {kind}: leave it out")
    if not given.get("fromSnapshot", "vs_").startswith("vs_"):
        config.refuse("database.fromSnapshot", f"must be a snapshot's id, vs_…, not {given['fromSnapshot']!r}")
    size, version = given.get("diskSizeGb", "10"), given.get("pgMajorVersion", "17")
    if not size.isdecimal():
        config.refuse("database.diskSizeGb", f"must be a whole number, not {size!r}")
    if version not in get_args(managed_postgres.Version):
        config.refuse("database.pgMajorVersion", f"must be {' or '.join(get_args(managed_postgres.Version))}")
    database = DatabaseSettings(
        kind=kind,
        from_snapshot=given.get("fromSnapshot"),
        restore_drill=config.flag_in("database", given, "restoreDrill", default=True),
        name=given.get("name", ""),
        plan=given.get("plan", "basic").lower(),
        disk_size_gb=int(size) if size.isdecimal() else 10,
        pg_major_version="16" if version == "16" else "17",
    )
    config.refuse_all("database", managed_postgres.problems(database.plan, database.disk_size_gb))
    return database
