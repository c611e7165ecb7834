"""Restore drill for the off-site replica: Litestream, in the app's own machine, restores the database from the bucket to a second
file and checks all of it. The live database is not touched. Changing `release` repeats the drill.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec.structs import asdict
from pulumi import Output

from providers import waiting
from providers.decoding import Call, decode
from providers.errors import ErrorText, ProviderError, TimedOut
from providers.fly.api import execution
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record
from providers.resource import Resource

CONFIG = "/etc/litestream.yml"
COPY = "/tmp/replica-drill.sqlite3"  # noqa: S108 (in a machine that has no other users)
SECONDS = 120.0
"""A new replica has nothing to restore yet."""


class ReplicaNotRestorable(ProviderError):
    """The replica cannot be restored; the text has Litestream's reason."""

    __module__ = "builtins"


NOT_RESTORABLE = ErrorText(
    "the replica of {database} of app {app} cannot be restored: {error}",
    remedy="check the bucket, its keys and `fly logs -a {app}`, then run `pulumi up` again",
    error=ReplicaNotRestorable,
)


class ReplicaDrillArgs(Record):
    app: Annotated[Input[str], REPLACES]
    machine_id: Input[str]
    """The machine of the app. Ignored: a new one needs no new drill."""
    database: Input[str]
    """Path of the SQLite file, as in litestream.yml."""
    release: Input[str]
    """What runs, for example the image. Changing it repeats the drill."""


class ReplicaDrillState(ReplicaDrillArgs):
    restored_at: str = ""
    """RFC 3339, in UTC."""
    transaction: str = ""
    """Litestream's number of the last transaction in the restored copy."""
    milliseconds: float = 0.0
    """Duration of the restore."""


class Restored(msgspec.Struct):
    """What `litestream restore -json` prints."""

    txid: str = ""
    duration_ms: float = 0.0


class ReplicaDrillProvider(FlyGate[ReplicaDrillArgs, ReplicaDrillState]):
    Args = ReplicaDrillArgs
    State = ReplicaDrillState

    def changed_fields(self, state: ReplicaDrillState, args: ReplicaDrillArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "machine_id"]

    def ensure(self, args: ReplicaDrillArgs) -> tuple[str, ReplicaDrillState]:
        return f"{args.app}/{args.database}", self._drill(args)

    def sync(self, id: str, state: ReplicaDrillState, args: ReplicaDrillArgs) -> ReplicaDrillState:
        return self._drill(args)

    def _drill(self, args: ReplicaDrillArgs) -> ReplicaDrillState:
        seen = "nothing yet"
        command = ["litestream", "restore", "-config", CONFIG, "-integrity-check", "full", "-json", "-o", COPY]

        def restored() -> str | None:
            nonlocal seen
            self._run(args, ["rm", "-f", COPY])
            try:
                return self._run(args, [*command, args.database])
            except execution.CommandFailed as failed:
                seen = str(failed)
                return None

        try:
            output = waiting.poll(
                restored,
                seconds=SECONDS,
                waiting_for="a restore from the replica",
                last_seen=lambda: seen,
                action="restoring replica",
                first_pause=1.0,
            )
        except TimedOut as error:
            raise NOT_RESTORABLE(database=args.database, app=args.app, error=error) from None
        finally:
            self._run(args, ["rm", "-f", COPY])
        document = output[f"\n{output}".rfind("\n{") :]  # Its log lines precede it, on standard output too.
        call = Call(doing=f"restore the replica of {args.database}", source="litestream")
        response = decode(document.encode(), Restored, call)
        return ReplicaDrillState(
            **asdict(args),
            restored_at=waiting.utc_now().isoformat(timespec="seconds"),
            transaction=response.txid,
            milliseconds=response.duration_ms,
        )

    def _run(self, args: ReplicaDrillArgs, command: list[str]) -> str:
        return execution.execute(self.fly, args.app, args.machine_id, command)


class ReplicaDrill(Resource[ReplicaDrillArgs], module="checks", name="ReplicaDrill"):
    """Evidence that the database can be restored from its replica; its id is `<app>/<database>`.

    app: replaces. release, database: repeats the drill. machine_id: ignored.
    """

    provider = ReplicaDrillProvider

    restored_at: Output[str]
    transaction: Output[str]
