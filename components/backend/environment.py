"""The environment of solserver: every variable and secret, its purpose, and where its value comes from.

This is the contract between the server and its operator. The program checks it at preview, and infra-docs/ENVIRONMENT.md is made
from it. Names are in version control; values of secrets never are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from components.config import SettingProblem, SettingText

Source = Literal["fly.toml", "generated", "given", "database", "Fly"]
"""Where a value comes from:

- fly.toml: [env] of that file
- generated: once, and kept in the stack's state; `solos:secrets` can set it, to keep an existing value
- given: `solos:secrets.<name>`, encrypted
- database: the Managed Postgres cluster that the stack creates
- Fly: set by the platform
"""
Database = Literal["sqlite", "postgres"]

ENV_MISSING = SettingText("fly.toml", "[env] {name} is missing: {purpose}", remedy="add it")
ENV_SECRET = SettingText(
    "fly.toml",
    "[env] {name} is a secret, and this file is in version control",
    remedy="remove it, and replace the value",
)
ENV_OTHER_DATABASE = SettingText(
    "fly.toml", "[env] {name} is only for {only_with}, but solos:database.kind is {database}", remedy="remove it"
)
SECRET_MISSING = SettingText(
    "solos:secrets.{name}",
    "is missing: {purpose}",
    remedy="run `pulumi config set --secret --path 'solos:secrets.{name}'`",
)
SECRET_UNKNOWN = SettingText(
    "solos:secrets.{name}",
    "is not a secret of the server",
    remedy="use a name of infra-docs/ENVIRONMENT.md, or remove it",
)
SECRET_OTHER_DATABASE = SettingText(
    "solos:secrets.{name}", "is only for {only_with}, but solos:database.kind is {database}", remedy="remove it"
)
SECRET_EMPTY = SettingText("solos:secrets.{name}", "is empty", remedy="set it, or remove it")


@dataclass(frozen=True)
class Variable:
    """One entry of the contract. `only_with` is the kind of database that needs it; None for any."""

    name: str
    source: Source
    purpose: str
    required: bool = True
    only_with: Database | None = None

    @property
    def is_secret(self) -> bool:
        return self.source in ("generated", "given", "database")

    def fits(self, database: Database) -> bool:
        return self.only_with in (None, database)


REPLICA = "of the bucket to which Litestream replicates the database"

CONTRACT: tuple[Variable, ...] = (
    Variable("NODE_ENV", "fly.toml", "production turns development features off"),
    Variable("HOST", "fly.toml", "address to listen on; Fly Proxy needs 0.0.0.0", required=False),
    Variable("PORT", "fly.toml", "port to listen on, the internal_port of the service"),
    Variable("LOG_LEVEL", "fly.toml", "minimum log level", required=False),
    Variable("DATABASE_PATH", "fly.toml", "path of the SQLite file, on the volume", only_with="sqlite"),
    Variable("DATABASE_URL", "database", "connection string of the Managed Postgres cluster", only_with="postgres"),
    Variable("SESSION_SECRET", "generated", "signs sessions; a new value ends all sessions"),
    Variable("AWS_ACCESS_KEY_ID", "given", f"key {REPLICA}", required=False, only_with="sqlite"),
    Variable("AWS_SECRET_ACCESS_KEY", "given", f"secret key {REPLICA}", required=False, only_with="sqlite"),
    Variable("AWS_ENDPOINT_URL_S3", "given", f"address {REPLICA}", required=False, only_with="sqlite"),
    Variable("BUCKET_NAME", "given", f"name {REPLICA}", required=False, only_with="sqlite"),
    Variable(
        "RESTORE_TO",
        "fly.toml",
        "point in time that Litestream restores the database to, once: 2026-11-24T14:02:00Z (BACKUPS.md)",
        required=False,
        only_with="sqlite",
    ),
    Variable(
        "LITESTREAM_HEARTBEAT_URL",
        "given",
        "called after each upload; an external monitor alerts when the calls stop",
        required=False,
        only_with="sqlite",
    ),
    Variable("PRIMARY_REGION", "Fly", "region of fly.toml"),
    Variable("FLY_APP_NAME", "Fly", "name of the app"),
    Variable("FLY_REGION", "Fly", "region in which the machine runs"),
    Variable("FLY_MACHINE_ID", "Fly", "the machine, as in `fly machine list`"),
)


def generated() -> list[str]:
    """The names of the secrets that the program generates."""
    return [variable.name for variable in CONTRACT if variable.source == "generated"]


def env_problems(env: Mapping[str, str], database: Database, place: Callable[[str], str]) -> Iterator[SettingProblem]:
    """Where [env] of fly.toml breaks the contract. `place` gives file and line of a variable."""
    for variable in _missing("fly.toml", env, database):
        yield ENV_MISSING(place=place(variable.name), name=variable.name, purpose=variable.purpose)
    for variable in CONTRACT:
        if variable.name not in env:
            continue
        if variable.is_secret:
            yield ENV_SECRET(place=place(variable.name), name=variable.name)
        elif not variable.fits(database):
            yield ENV_OTHER_DATABASE(
                place=place(variable.name), name=variable.name, only_with=variable.only_with, database=database
            )


def secret_problems(secrets: Mapping[str, str], database: Database) -> Iterator[SettingProblem]:
    """Where `solos:secrets` breaks the contract."""
    for variable in _missing("given", secrets, database):
        yield SECRET_MISSING(name=variable.name, purpose=variable.purpose)
    known = {variable.name: variable for variable in CONTRACT if variable.source in ("given", "generated")}
    for name, value in secrets.items():
        if name not in known:
            yield SECRET_UNKNOWN(name=name)
        elif not known[name].fits(database):
            yield SECRET_OTHER_DATABASE(name=name, only_with=known[name].only_with, database=database)
        elif not value:
            yield SECRET_EMPTY(name=name)


def _missing(source: Source, values: Mapping[str, str], database: Database) -> Iterator[Variable]:
    for variable in CONTRACT:
        required = variable.source == source and variable.required and variable.fits(database)
        if required and not values.get(variable.name):
            yield variable
