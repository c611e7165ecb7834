"""What people declare about a database that the stack does not manage: an external Postgres, or that there is none.

Nothing is looked up, because nothing here can reach the database's backups. The checklist shows who restored a backup, and when.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from msgspec.structs import asdict

from providers.errors import Problem, ProblemText
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Gate, Resource

NOT_A_DATE = ProblemText("restored_on", "must be a date like 2026-11-27, not {value!r}")
HALF_PROOF = ProblemText("restored_on", "restored_on and restored_by belong together", remedy="set both, or neither")


class DeclaredDatabaseArgs(Record):
    managed: Annotated[Input[str], REPLACES]
    """external or none."""
    host: Input[str] = field(default="")
    """Where an external database is; empty without one."""
    restored_on: Input[str] = field(default="")
    """The day on which somebody restored a backup and looked at the rows, as 2026-11-27; empty when nobody has."""
    restored_by: Input[str] = field(default="")
    """Who that was."""


class DeclaredDatabaseState(DeclaredDatabaseArgs):
    pass


class DeclaredDatabaseProvider(Gate[DeclaredDatabaseArgs, DeclaredDatabaseState]):
    Args = DeclaredDatabaseArgs
    State = DeclaredDatabaseState

    def validate(self, args: DeclaredDatabaseArgs, old: DeclaredDatabaseArgs | None) -> Iterable[Problem]:
        yield from problems(args.restored_on, args.restored_by)

    def ensure(self, args: DeclaredDatabaseArgs) -> tuple[str, DeclaredDatabaseState]:
        return args.managed, DeclaredDatabaseState(**asdict(args))

    def sync(self, id: str, state: DeclaredDatabaseState, args: DeclaredDatabaseArgs) -> DeclaredDatabaseState:
        return DeclaredDatabaseState(**asdict(args))


def problems(restored_on: str, restored_by: str) -> Iterable[Problem]:
    """What is wrong with what somebody declared."""
    if bool(restored_on) != bool(restored_by):
        yield HALF_PROOF()
    if restored_on and not _is_date(restored_on):
        yield NOT_A_DATE(value=restored_on)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


class DeclaredDatabase(Resource[DeclaredDatabaseArgs], module="checks", name="DeclaredDatabase"):
    """A database that is managed elsewhere, or none; its id says which. managed: replaces."""

    provider = DeclaredDatabaseProvider
