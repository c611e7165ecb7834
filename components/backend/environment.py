"""The environment contract of the server: every variable and secret, its purpose, and where its value comes from.

It is a file of the project, named by the key `environment`; infra-docs/environment.toml describes its format. The program checks
fly.toml and `secrets` against it at preview, and infra-docs/ENVIRONMENT.md is made from it.
"""

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from components.config import SettingProblem, SettingText
from providers.errors import ProblemText
from providers.fly.appconfig.tables import Document, Table

Source = Literal["fly.toml", "generated", "given", "database", "Fly"]
"""Where a value comes from:

- fly.toml: [env] of that file
- generated: once, and kept in the stack's state; `secrets` can set it, to keep an existing value
- given: `secrets.<name>`, encrypted
- database: the Managed Postgres cluster that the stack creates; for an external database, as if it was given
- Fly: set by the platform
"""
Database = Literal["sqlite", "postgres", "external", "none"]

ENV_MISSING = SettingText("fly.toml", "[env] {name} is missing: {purpose}", remedy="add it")
ENV_SECRET = SettingText(
    "fly.toml",
    "[env] {name} is a secret, and this file is in version control",
    remedy="remove it, and replace the value",
)
ENV_OTHER_DATABASE = SettingText(
    "fly.toml", "[env] {name} is only for {only_with}, but `database.kind` is {database}", remedy="remove it"
)
SECRET_MISSING = SettingText(
    "secrets.{name}",
    "is missing: {purpose}",
    remedy="run `pulumi config set --secret --path 'secrets.{name}' --stack STACK`",
)
SECRET_MISSING_WITH = SettingText(
    "secrets.{name}",
    "is missing, and {other} is set: {purpose}",
    remedy="run `pulumi config set --secret --path 'secrets.{name}' --stack STACK`, or remove {other}",
)
SECRET_UNKNOWN = SettingText(
    "secrets.{name}",
    "is not in the environment of the server",
    remedy='add a line to {file}: {name} = {{ source = "given", purpose = "…" }}; or remove it',
)
SECRET_NOT_GIVEN = SettingText(
    "secrets.{name}", "comes from {source}, as {file} says", remedy="set it there, and remove it here"
)
SECRET_OTHER_DATABASE = SettingText(
    "secrets.{name}", "is only for {only_with}, but `database.kind` is {database}", remedy="remove it"
)
SECRET_EMPTY = SettingText("secrets.{name}", "is empty", remedy="set it, or remove it")
UNREADABLE = SettingText("environment", "{file} cannot be read ({reason})")
NOT_TOML = SettingText("environment", "{file} is not valid TOML: {fault}")
NOT_A_KIND = ProblemText("environment", "must be a list of {kinds}")
BAD_CONTRACT = SettingText("environment", "{message}")


class Variable(msgspec.Struct, frozen=True):
    """One entry of the contract. `only_with` has the kinds of database that need it; empty for any."""

    name: str
    source: Source
    purpose: str
    required: bool = True
    only_with: Collection[Database] = ()
    default: str = ""
    needed_with: str = ""
    """The name of a secret that makes this one required."""

    def origin(self, database: Database) -> Source:
        """Where the value comes from, with that kind of database."""
        return "given" if self.source == "database" and database == "external" else self.source

    @property
    def is_secret(self) -> bool:
        return self.source in ("generated", "given", "database")

    @property
    def kinds(self) -> Collection[Database]:
        """The kinds of database that need it; empty for any."""
        return self.only_with or (("postgres", "external") if self.source == "database" else ())

    def fits(self, database: Database) -> bool:
        return not self.kinds or database in self.kinds


class Contract(msgspec.Struct, frozen=True):
    """The environment of a server. `file` is where it was read from, for texts."""

    variables: tuple[Variable, ...] = ()
    file: str = ""

    def generated(self) -> list[str]:
        """The names of the secrets that the program generates."""
        return [variable.name for variable in self.variables if variable.source == "generated"]

    def env_problems(
        self, env: Mapping[str, str], database: Database, place: Callable[[str], str]
    ) -> Iterator[SettingProblem]:
        """Where [env] of fly.toml breaks the contract. `place` gives file and line of a variable."""
        for variable in self._missing("fly.toml", env, database):
            yield ENV_MISSING(place=place(variable.name), name=variable.name, purpose=variable.purpose)
        for variable in self.variables:
            if variable.name not in env:
                continue
            if variable.is_secret:
                yield ENV_SECRET(place=place(variable.name), name=variable.name)
            elif not variable.fits(database):
                yield ENV_OTHER_DATABASE(
                    place=place(variable.name), name=variable.name, only_with=_named(variable), database=database
                )

    def secret_problems(self, secrets: Mapping[str, str], database: Database) -> Iterator[SettingProblem]:
        """Where `secrets` breaks the contract."""
        for variable in self._missing("given", secrets, database):
            if variable.needed_with:
                yield SECRET_MISSING_WITH(name=variable.name, purpose=variable.purpose, other=variable.needed_with)
            else:
                yield SECRET_MISSING(name=variable.name, purpose=variable.purpose)
        known = {variable.name: variable for variable in self.variables}
        for name, value in secrets.items():
            if name not in known:
                yield SECRET_UNKNOWN(name=name, file=self.file)
            elif known[name].source in ("fly.toml", "Fly"):
                yield SECRET_NOT_GIVEN(name=name, source=known[name].source, file=self.file)
            elif not known[name].fits(database):
                yield SECRET_OTHER_DATABASE(name=name, only_with=_named(known[name]), database=database)
            elif known[name].origin(database) == "database":
                yield SECRET_NOT_GIVEN(name=name, source="the cluster", file=self.file)
            elif not value:
                yield SECRET_EMPTY(name=name)

    def _missing(self, source: Source, values: Mapping[str, str], database: Database) -> Iterator[Variable]:
        for variable in self.variables:
            is_needed = variable.required and (not variable.needed_with or variable.needed_with in values)
            is_expected = variable.origin(database) == source and is_needed and variable.fits(database)
            if is_expected and not values.get(variable.name):
                yield variable


def read_contract(path: Path, file: str) -> tuple[Contract, list[SettingProblem]]:
    """The contract in the file at `path`, which texts call `file`, and the problems with it."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Contract(), [NOT_TOML(file=file, fault=error)]
    except (OSError, ValueError, RecursionError) as error:
        return Contract(), [UNREADABLE(file=file, reason=getattr(error, "strerror", None) or error)]
    document = Document(path.name, text, values, {}, {})
    variables = [
        variable for name in values for variable in [_variable(name, document.top.table(name))] if variable is not None
    ]
    problems = [BAD_CONTRACT(place=found.key, message=str(found)) for found in (*document.problems, *document.warnings)]
    return Contract(tuple(variables), file), problems


def _variable(name: str, table: Table | None) -> Variable | None:
    if table is None:
        return None
    source, purpose = table.one_of("source", get_args(Source), needed=True), table.needed("purpose", str)
    only_with: list[Any] = table.take("only_with", list, [])
    for kind in only_with:
        if kind not in get_args(Database):
            table.report(NOT_A_KIND(kinds=", ".join(get_args(Database))), "only_with")
    variable = Variable(
        name=name,
        source=source or "Fly",  # type: ignore[arg-type]  # one_of has checked it
        purpose=purpose or "",
        required=table.take("required", bool, True),
        only_with=tuple(only_with),
        default=table.take("default", str, ""),
        needed_with=table.take("with", str, ""),
    )
    table.done()
    return variable


def _named(variable: Variable) -> str:
    return " and ".join(variable.kinds)
