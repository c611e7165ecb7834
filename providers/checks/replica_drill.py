"""A restore from the replica off-site that was really done: Litestream, in the app's own machine, brings the database back from
the bucket to a second file and checks all of it. The live database is not touched. It is done again when `release` changes.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError, TimedOut
from providers.fly.api import execution
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, record
from providers.resource import Resource

CONFIG = "/etc/litestream.yml"
COPY = "/tmp/replica-drill.sqlite3"  # noqa: S108 (in a machine that has no other users)
SECONDS = 120.0
"""A replica that has just been begun has nothing to restore yet."""


@record
class ReplicaDrillArgs:
    app: Annotated[Input[str], REPLACES]
    machine_id: Input[str]
    """The app's. Another one is no reason for another drill."""
    database: Input[str]
    """Path of the SQLite file, as in litestream.yml."""
    release: Input[str]
    """Changes when the drill is to be done again: what runs, say."""


@record
class ReplicaDrillState(ReplicaDrillArgs):
    restored_at: str = ""
    """RFC 3339, in UTC."""
    transaction: str = ""
    """The last one in the restored copy, as Litestream counts them."""
    milliseconds: float = 0.0
    """What the restore took."""


class ReplicaNotRestorable(ProviderError):
    """The replica did not come back whole; the text says what Litestream says."""

    __module__ = "builtins"


class ReplicaDrillProvider(FlyProvider[ReplicaDrillArgs, ReplicaDrillState]):
    Args = ReplicaDrillArgs
    State = ReplicaDrillState

    def changed_fields(self, state: ReplicaDrillState, args: ReplicaDrillArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "machine_id"]

    def ensure(self, args: ReplicaDrillArgs) -> tuple[str, ReplicaDrillState]:
        return f"{args.app}/{args.database}", self._drill(args)

    def observe(self, id: str, state: ReplicaDrillState) -> ReplicaDrillState:
        """The evidence stays what it was; whether the replica is fresh by now is what the monitor tells."""
        return state

    def sync(self, id: str, state: ReplicaDrillState, args: ReplicaDrillArgs) -> ReplicaDrillState:
        return self._drill(args)

    def remove(self, id: str, state: ReplicaDrillState) -> None:
        """Nothing: the copy is gone, the bucket is kept outside of the stack."""

    def _drill(self, args: ReplicaDrillArgs) -> ReplicaDrillState:
        progress, seen = engine.progress(), "nothing yet"
        command = ["litestream", "restore", "-config", CONFIG, "-integrity-check", "full", "-json", "-o", COPY]

        def restored() -> str | None:
            nonlocal seen
            self._run(args, ["rm", "-f", COPY])
            try:
                return self._run(args, [*command, args.database])
            except execution.CommandFailed as failed:
                seen = str(failed)
                progress(seen)
                return None

        try:
            told = waiting.poll(
                restored,
                seconds=SECONDS,
                waiting_for="a restore from the replica",
                last_seen=lambda: seen,
                first_pause=1.0,
            )
        except TimedOut as error:
            raise ReplicaNotRestorable(
                f"the replica of {args.database} of {args.app!r} does not come back: {error}; the bucket, its keys and "
                f"`fly logs -a {args.app}` say why; then run up again"
            ) from None
        finally:
            self._run(args, ["rm", "-f", COPY])
        answer = json.loads(told[f"\n{told}".rindex("\n{") :])  # Its log lines come before, on standard output too.
        return ReplicaDrillState(
            **vars(args),
            restored_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
            transaction=str(answer.get("txid") or ""),
            milliseconds=float(answer.get("duration_ms") or 0),
        )

    def _run(self, args: ReplicaDrillArgs, command: list[str]) -> str:
        return execution.execute(self.fly, args.app, args.machine_id, command)


class ReplicaDrill(Resource[ReplicaDrillArgs], module="checks", name="ReplicaDrill"):
    """Evidence that the database comes back from its replica; its id is `<app>/<database>`.

    app: replaces. release, database: the drill is done again. machine_id: ignored.
    """

    provider = ReplicaDrillProvider

    restored_at: Output[str]
    transaction: Output[str]
