"""A backup of a Managed Postgres cluster, taken on demand, for example before a release. Fly's API cannot delete one."""

from typing import Annotated, Literal

from pulumi import Output

from providers import waiting
from providers.errors import ErrorText
from providers.fly.api import client, postgres
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

BACKUP_SECONDS = 3600.0

FAILED = ErrorText("Fly failed to take a backup of Postgres cluster {id}", remedy="run `pulumi up` again")


class PostgresBackupArgs(Record):
    cluster_id: Annotated[Input[str], REPLACES]
    """Of a cluster that is ready. Changing it takes another backup."""
    reason: Annotated[Input[str], REPLACES] = field(default="")
    """What it is for, for example the image that is about to run. Changing it takes another backup."""
    type: Annotated[Input[Literal["full", "incr", "diff"]], REPLACES] = field(default="incr")
    """Changing it takes another backup."""


class PostgresBackupState(PostgresBackupArgs):
    status: str = ""
    finished_at: str = ""
    """RFC 3339."""
    size_bytes: int = 0


class PostgresBackupProvider(FlyProvider[PostgresBackupArgs, PostgresBackupState]):
    Args = PostgresBackupArgs
    State = PostgresBackupState

    def ensure(self, args: PostgresBackupArgs) -> tuple[str, PostgresBackupState]:
        """Fly's response has no id, so the backup is the one that was not there before; only one runs at a time."""
        fly, id = self.fly, args.cluster_id
        before = {backup.id for backup in postgres.backups(fly, id)}
        seen = "none yet"

        def completed() -> "postgres.Backup | None":
            nonlocal seen
            backups = postgres.backups(fly, id)
            new = [backup for backup in backups if backup.id not in before]
            if any(backup.status == "failed" for backup in new):
                raise FAILED(id=id)
            if not new and not any(backup.status == "running" for backup in backups):
                postgres.take_backup(fly, id, args.type)
            seen = ", ".join(f"{backup.id} {backup.status}" for backup in new) or seen
            return next((backup for backup in new if backup.status == "completed"), None)

        backup = waiting.poll(
            completed,
            seconds=BACKUP_SECONDS,
            waiting_for=f"a backup of Postgres cluster {id}",
            last_seen=lambda: seen,
            action="backing up Postgres",
            first_pause=0.5,
            max_pause=15.0,
        )
        return backup.id, _state(args, backup)

    def observe(self, id: str, state: PostgresBackupState) -> PostgresBackupState | None:
        """An expired backup stays in the state as `expired`: it was taken, and no other one is needed."""
        try:
            found = next((backup for backup in postgres.backups(self.fly, state.cluster_id) if backup.id == id), None)
        except client.NotFound:
            return None
        return _state(state, found or postgres.Backup(status="expired", finished_at=state.finished_at))

    def remove(self, id: str, state: PostgresBackupState) -> None:
        """Nothing: it expires, and is deleted with its cluster."""


def _state(args: PostgresBackupArgs, backup: "postgres.Backup") -> PostgresBackupState:
    return PostgresBackupState(
        cluster_id=args.cluster_id,
        reason=args.reason,
        type=args.type,
        status=backup.status,
        finished_at=backup.finished_at,
        size_bytes=backup.size_bytes,
    )


class PostgresBackup(Resource[PostgresBackupArgs], module="fly", name="PostgresBackup"):
    """A backup of a Managed Postgres cluster; its id is Fly's. Changing any argument takes another one; destroying keeps it."""

    provider = PostgresBackupProvider

    cluster_id: Output[str]
    status: Output[str]
    finished_at: Output[str]
