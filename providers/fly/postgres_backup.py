"""A backup of a Managed Postgres cluster, taken on demand: before a release, say. Fly's API cannot delete one."""

from typing import Annotated, Any, Literal

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api.client import NotFound
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

BACKUP_SECONDS = 3600.0


@record
class PostgresBackupArgs:
    cluster_id: Annotated[Input[str], REPLACES]
    """Of a cluster that is ready. Changing it takes another backup."""
    reason: Annotated[Input[str], REPLACES] = field(default="")
    """What it is for: the image that is about to run, say. Changing it takes another backup."""
    type: Annotated[Input[Literal["full", "incr", "diff"]], REPLACES] = field(default="incr")
    """Changing it takes another backup."""


@record
class PostgresBackupState(PostgresBackupArgs):
    status: str = ""
    finished_at: str = ""
    """RFC 3339."""
    size_bytes: int = 0


class PostgresBackupProvider(FlyProvider[PostgresBackupArgs, PostgresBackupState]):
    Args = PostgresBackupArgs
    State = PostgresBackupState

    def ensure(self, args: PostgresBackupArgs) -> tuple[str, PostgresBackupState]:
        """Fly names no id in its answer, so the backup is the one that was not there before; one runs at a time."""
        before = {one["id"] for one in self._list(args)}
        show, seen = engine.progress(), "none yet"

        def completed() -> dict[str, Any] | None:
            nonlocal seen
            backups = self._list(args)
            new = [one for one in backups if one["id"] not in before]
            if any(one["status"] == "failed" for one in new):
                raise ProviderError(
                    f"Fly failed to take a backup of the Postgres cluster {args.cluster_id}: run up again"
                )
            if not new and not any(one["status"] == "running" for one in backups):
                self._take(args)
            seen = ", ".join(f"{one['id']} {one['status']}" for one in new) or seen
            show(f"backup of {args.cluster_id}: {seen}")
            return next((one for one in new if one["status"] == "completed"), None)

        backup = waiting.poll(
            completed,
            seconds=BACKUP_SECONDS,
            waiting_for=f"backup of the Postgres cluster {args.cluster_id}",
            last_seen=lambda: seen,
            first_pause=0.5,
            max_pause=15.0,
        )
        return backup["id"], _state(args, backup)

    def observe(self, id: str, state: PostgresBackupState) -> PostgresBackupState | None:
        """A backup that has expired stays in the state as `expired`: it was taken, and none is to be taken instead."""
        try:
            found = [one for one in self._list(state) if one["id"] == id]
        except NotFound:
            return None
        return _state(state, found[0] if found else {"status": "expired", "finished_at": state.finished_at})

    def remove(self, id: str, state: PostgresBackupState) -> None:
        """Nothing: it expires by itself, and goes with its cluster."""

    def _list(self, args: PostgresBackupArgs) -> list[dict[str, Any]]:
        answer = self.fly.call(
            "GET",
            f"/postgres/{args.cluster_id}/backups",
            doing=f"list the backups of the Postgres cluster {args.cluster_id}",
        )
        return list(answer.get("data") or ())

    def _take(self, args: PostgresBackupArgs) -> None:
        """Ask for one. Repeatable: as long as it runs, Fly refuses a second one (409)."""
        self.fly.call(
            "POST",
            f"/postgres/{args.cluster_id}/backups",
            doing=f"take a backup of the Postgres cluster {args.cluster_id}",
            body={"type": args.type},
            accept=(409,),
            safe=True,
        )


def _state(args: PostgresBackupArgs, backup: dict[str, Any]) -> PostgresBackupState:
    return PostgresBackupState(
        cluster_id=args.cluster_id,
        reason=args.reason,
        type=args.type,
        status=backup["status"],
        finished_at=str(backup.get("finished_at") or ""),
        size_bytes=int(backup.get("size_bytes") or 0),
    )


class PostgresBackup(Resource[PostgresBackupArgs], module="fly", name="PostgresBackup"):
    """A backup of a Managed Postgres cluster; its id is Fly's. Changing any argument takes another; destroying keeps it."""

    provider = PostgresBackupProvider

    cluster_id: Output[str]
    status: Output[str]
    finished_at: Output[str]
