"""The settings of the database: the key `database`."""

from collections.abc import Mapping
from typing import get_args
from urllib.parse import urlsplit

import msgspec
import pulumi

from components.backend.environment import Database
from components.config import SettingText, StackConfig
from providers.checks import declared_database
from providers.fly import managed_postgres

KEYS: Mapping[Database, tuple[str, ...]] = {
    "sqlite": ("fromSnapshot",),
    "postgres": ("name", "server", "plan", "diskSizeGb", "pgMajorVersion"),
    "external": ("restoredOn", "restoredBy"),
    "none": (),
}
"""The settings of each kind."""

OTHER_KIND = SettingText(
    "database.{key}", "is only for kind {other}, but `database.kind` is {kind}", remedy="remove it"
)
NOT_A_SNAPSHOT = SettingText("database.fromSnapshot", "must be the ID of a snapshot, vs_…, not {id!r}")

NOT_A_URL = SettingText(
    "secrets.DATABASE_URL",
    "is not a connection string",
    remedy="write it like postgres://USER:PASSWORD@HOST/DATABASE",
)


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`from_snapshot` is for SQLite, on the volume of fly.toml; `name` and what follows is for a Managed Postgres cluster, `host` and
    what follows for an external database."""

    kind: Database
    restore_drill: bool
    """Whether each release proves that its database can be restored from a snapshot or a backup."""

    from_snapshot: str | None
    """ID of the snapshot that a new volume is created from."""

    name: str
    """Of the cluster; empty for `<app>-db`. A new name moves the server to another cluster, for example a restored one."""
    server: str
    """Name of the server's database and of its user; empty for that of the machine."""
    plan: str
    disk_size_gb: int
    pg_major_version: "managed_postgres.Version"

    host: str
    """Of the DATABASE_URL that is given."""
    restored_on: str
    """When somebody restored a backup and looked at the rows, as 2026-11-27; empty when nobody has."""
    restored_by: str


def read(config: StackConfig, url: str) -> DatabaseSettings:
    """Read `database`; `url` is the DATABASE_URL that is given. Problems are added to `config`."""
    given = config.table("database", ("kind", "restoreDrill", *(key for keys in KEYS.values() for key in keys)))
    kind: Database = next((known for known in KEYS if known == given.get("kind")), "sqlite")
    if given.get("kind", kind) != kind:
        config.refuse_other("database.kind", given["kind"], KEYS)
    for other, keys in KEYS.items():
        for key in given.keys() & set(keys) if other != kind else ():
            config.refuse(OTHER_KIND(key=key, other=other, kind=kind))
    if not given.get("fromSnapshot", "vs_").startswith("vs_"):
        config.refuse(NOT_A_SNAPSHOT(id=given["fromSnapshot"]))
    version = given.get("pgMajorVersion", "17")
    database = DatabaseSettings(
        kind=kind,
        from_snapshot=given.get("fromSnapshot"),
        restore_drill=config.flag_in("database", given, "restoreDrill", default=True),
        name=given.get("name", ""),
        server=given.get("server", ""),
        plan=given.get("plan", "basic").lower(),
        disk_size_gb=config.whole_in("database", given, "diskSizeGb", default=10),
        pg_major_version="16" if version == "16" else "17",
        host=_host(config, url) if kind == "external" else "",
        restored_on=given.get("restoredOn", ""),
        restored_by=given.get("restoredBy", ""),
    )
    if kind == "postgres":
        if version not in get_args(managed_postgres.Version):
            config.refuse_other("database.pgMajorVersion", version, get_args(managed_postgres.Version))
        config.refuse_all("database", managed_postgres.problems(database.plan, database.disk_size_gb))
    elif kind != "sqlite":
        config.refuse_all("database", declared_database.problems(database.restored_on, database.restored_by))
    return database


def _host(config: StackConfig, url: str) -> str:
    """The host of a connection string; its problem never shows the string, which has a password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("postgres", "postgresql") else None
    except ValueError:
        host = None
    if url and not host:
        config.refuse(NOT_A_URL())
    return host or ""


def cluster_name(settings: DatabaseSettings, app: pulumi.Input[str]) -> pulumi.Input[str]:
    """The name of the cluster; a text when the app's is."""
    return settings.name or (f"{app}-db" if isinstance(app, str) else pulumi.Output.concat(app, "-db"))
