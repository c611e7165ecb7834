"""What solserver finds in its environment: every variable and secret, what for, and where its value comes from.

This is the contract between the server and who runs it. The program checks it at preview and infra-docs/ENVIRONMENT.md is made
from it. Names are here, in version control; values of secrets never are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Source = Literal["fly.toml", "generated", "given", "database", "Fly"]
Database = Literal["sqlite", "postgres"]


@dataclass(frozen=True)
class Variable:
    """`source`: stands in fly.toml; generated once and kept in the stack's state, or given like the next to go on with a value
    that there is already; given in the stack's encrypted config as `solos:secrets.<name>`; read off the database that the stack makes; or set by Fly itself. Generated, given and database
    ones are secrets. `only_with`: the one kind of `solos:database` with which it is there; any when None."""

    name: str
    source: Source
    purpose: str
    required: bool = True
    only_with: Database | None = None

    @property
    def is_secret(self) -> bool:
        return self.source in ("generated", "given", "database")


REPLICA = "of the bucket to which Litestream replicates the database"

CONTRACT: tuple[Variable, ...] = (
    Variable("NODE_ENV", "fly.toml", "production switches development conveniences off"),
    Variable("HOST", "fly.toml", "address to listen on; Fly's proxy needs 0.0.0.0", required=False),
    Variable("PORT", "fly.toml", "port to listen on, the internal_port of the service"),
    Variable("LOG_LEVEL", "fly.toml", "least level that is logged", required=False),
    Variable("DATABASE_PATH", "fly.toml", "the SQLite file, which has to be on the volume", only_with="sqlite"),
    Variable(
        "DATABASE_URL", "database", "address, user and password of the Managed Postgres cluster", only_with="postgres"
    ),
    Variable("SESSION_SECRET", "generated", "signs sessions; a new value signs everybody out"),
    Variable("AWS_ACCESS_KEY_ID", "given", f"key {REPLICA}", required=False, only_with="sqlite"),
    Variable("AWS_SECRET_ACCESS_KEY", "given", f"secret key {REPLICA}", required=False, only_with="sqlite"),
    Variable("AWS_ENDPOINT_URL_S3", "given", f"address {REPLICA}", required=False, only_with="sqlite"),
    Variable("BUCKET_NAME", "given", f"name {REPLICA}", required=False, only_with="sqlite"),
    Variable(
        "RESTORE_TO",
        "fly.toml",
        "moment to which Litestream brings the database back, once: 2026-11-24T14:02:00Z (BACKUPS.md)",
        required=False,
        only_with="sqlite",
    ),
    Variable(
        "LITESTREAM_HEARTBEAT_URL",
        "given",
        "asked after each upload, so that silence is noticed",
        required=False,
        only_with="sqlite",
    ),
    Variable("PRIMARY_REGION", "Fly", "region of fly.toml"),
    Variable("FLY_APP_NAME", "Fly", "name of the app"),
    Variable("FLY_REGION", "Fly", "region in which the machine runs"),
    Variable("FLY_MACHINE_ID", "Fly", "the machine, as in `fly machine list`"),
)


def generated() -> list[str]:
    """The names of the secrets that the program makes."""
    return [variable.name for variable in CONTRACT if variable.source == "generated"]


def problems(env: Mapping[str, str], given: Mapping[str, str], database: Database) -> Iterator[tuple[Source, str, str]]:
    """Where `env` of fly.toml and the `given` secrets break the contract with that database: (source, name, what is wrong)."""
    known = {variable.name: variable for variable in CONTRACT}
    for variable in CONTRACT:
        values = {"fly.toml": env, "given": given}.get(variable.source)
        needed = variable.required and variable.only_with in (None, database)
        if needed and values is not None and not values.get(variable.name):
            yield variable.source, variable.name, f"is missing: {variable.purpose}"
    for name in env:
        if name in known and known[name].is_secret:
            yield "fly.toml", name, "is a secret, and this file is in version control: take it out"
        elif name in known and known[name].only_with not in (None, database):
            yield "fly.toml", name, f"is for {known[name].only_with}, and solos:database is {database}: take it out"
    for name in given:
        if name not in known or known[name].source not in ("given", "generated"):
            yield "given", name, "is no secret that is given; the names are in components/backend/environment.py"
        elif known[name].only_with not in (None, database):
            yield "given", name, f"is for {known[name].only_with}, and solos:database is {database}: leave it out"
        elif not given[name]:
            yield "given", name, "is empty: set it, or leave it out"
