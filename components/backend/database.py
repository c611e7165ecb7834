"""The settings of the database: `solos:database`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from components.backend.environment import Database
from components.config import SettingText, StackConfig
from providers.fly import managed_postgres

KEYS: Mapping[Database, tuple[str, ...]] = {
    "sqlite": ("fromSnapshot",),
    "postgres": ("name", "plan", "diskSizeGb", "pgMajorVersion"),
}
"""The settings of each kind."""

OTHER_KIND = SettingText(
    "solos:database.{key}", "is only for kind {other}, but solos:database.kind is {kind}", remedy="remove it"
)
NOT_A_SNAPSHOT = SettingText("solos:database.fromSnapshot", "must be the ID of a snapshot, vs_…, not {id!r}")


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """`from_snapshot` is for SQLite, on the volume of fly.toml; what follows is for a Managed Postgres cluster."""

    kind: Database
    restore_drill: bool
    """Whether each release proves that its database can be restored from a snapshot or a backup."""

    from_snapshot: str | None
    """ID of the snapshot that a new volume is created from."""

    name: str
    """Of the cluster; empty for `<app>-db`. A new name moves the server to another cluster, for example a restored one."""
    plan: str
    disk_size_gb: int
    pg_major_version: managed_postgres.Version


def read(config: StackConfig) -> DatabaseSettings:
    """Read `solos:database`; problems are added to `config`."""
    given = config.table("database", ("kind", "restoreDrill", *(key for keys in KEYS.values() for key in keys)))
    kind: Database = "postgres" if given.get("kind") == "postgres" else "sqlite"
    if given.get("kind", kind) != kind:
        config.refuse_other("database.kind", given["kind"], KEYS)
    for other, keys in KEYS.items():
        for key in given.keys() & set(keys) if other != kind else ():
            config.refuse(OTHER_KIND(key=key, other=other, kind=kind))
    if not given.get("fromSnapshot", "vs_").startswith("vs_"):
        config.refuse(NOT_A_SNAPSHOT(id=given["fromSnapshot"]))
    version, versions = given.get("pgMajorVersion", "17"), get_args(managed_postgres.Version)
    if version not in versions:
        config.refuse_other("database.pgMajorVersion", version, versions)
    database = DatabaseSettings(
        kind=kind,
        from_snapshot=given.get("fromSnapshot"),
        restore_drill=config.flag_in("database", given, "restoreDrill", default=True),
        name=given.get("name", ""),
        plan=given.get("plan", "basic").lower(),
        disk_size_gb=config.whole_in("database", given, "diskSizeGb", default=10),
        pg_major_version="16" if version == "16" else "17",
    )
    config.refuse_all("database", managed_postgres.problems(database.plan, database.disk_size_gb))
    return database
