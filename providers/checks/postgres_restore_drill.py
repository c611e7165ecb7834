"""A restore of Managed Postgres that was really done: a backup, a second cluster made from it, its databases looked at, deleted.

Rows are not counted: that takes a client of Postgres in Fly's network. The evidence is that Fly could restore the backup, that
the database is in it, and how long that took, which is how long the server would be down. It is done again with each backup.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api import postgres
from providers.fly.api.client import FlyError
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

TOO_EARLY = 409
"""What Fly answers as long as a backup cannot be restored yet."""


@record
class PostgresRestoreDrillArgs:
    org: Annotated[Input[str], REPLACES]
    cluster_id: Annotated[Input[str], REPLACES]
    backup_id: Input[str]
    """The backup that is restored. Changing it does the drill again."""
    database: Input[str]
    """What has to be in it. Changing it does the drill again."""


@record
class PostgresRestoreDrillState(PostgresRestoreDrillArgs):
    restored_at: str = ""
    """RFC 3339, in UTC."""
    seconds: float = 0.0
    """From the order to restore to a cluster that can be used: what a restore takes."""
    databases: list[str] = field(default_factory=list)


class NotRestorable(ProviderError):
    """The backup did not come back as it should; the text says what was found."""

    __module__ = "builtins"


class PostgresRestoreDrillProvider(FlyProvider[PostgresRestoreDrillArgs, PostgresRestoreDrillState]):
    Args = PostgresRestoreDrillArgs
    State = PostgresRestoreDrillState

    def ensure(self, args: PostgresRestoreDrillArgs) -> tuple[str, PostgresRestoreDrillState]:
        return args.cluster_id, self._drill(args)

    def observe(self, id: str, state: PostgresRestoreDrillState) -> PostgresRestoreDrillState:
        """The evidence stays what it was."""
        return state

    def sync(
        self, id: str, state: PostgresRestoreDrillState, args: PostgresRestoreDrillArgs
    ) -> PostgresRestoreDrillState:
        return self._drill(args)

    def remove(self, id: str, state: PostgresRestoreDrillState) -> None:
        """Delete what a drill that died has left."""
        self._clear(state)

    def _drill(self, args: PostgresRestoreDrillArgs) -> PostgresRestoreDrillState:
        started_at = waiting.clock.now()
        self._clear(args)

        def find() -> dict[str, Any] | None:
            return next(iter(postgres.living(self.fly, args.org, _name(args))), None)

        restored = make_once(lambda: self._restore(args), find, what=f"the restored cluster {_name(args)!r}")
        postgres.wait_until_ready(self.fly, restored["id"], progress=engine.progress())
        seconds = round(waiting.clock.now() - started_at, 1)
        listed = self.fly.call(
            "GET", f"/postgres/{restored['id']}/databases", doing=f"list the databases of {_name(args)!r}"
        )
        databases = [one["name"] for one in listed.get("data") or ()]
        self._clear(args)
        if args.database not in databases:
            raise NotRestorable(
                f"the backup {args.backup_id} of the Postgres cluster {args.cluster_id} came back without the database "
                f"{args.database!r}, with {', '.join(databases) or 'none'}: look at the cluster before anything is deployed"
            )
        return PostgresRestoreDrillState(
            **vars(args),
            restored_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
            seconds=seconds,
            databases=databases,
        )

    def _restore(self, args: PostgresRestoreDrillArgs) -> dict[str, Any]:
        def restored() -> dict[str, Any] | None:
            try:
                answer: dict[str, Any] = self.fly.call(
                    "POST",
                    f"/postgres/{args.cluster_id}/restore",
                    doing=f"restore the backup {args.backup_id} of the Postgres cluster {args.cluster_id}",
                    body={"backup_id": args.backup_id, "name": _name(args)},
                )
            except FlyError as error:
                if error.status != TOO_EARLY:
                    raise
                return None
            return answer

        made: dict[str, Any] = waiting.poll(
            restored,
            seconds=postgres.READY_SECONDS,
            waiting_for=f"Fly to take the order to restore {args.backup_id}",
            first_pause=1.0,
        )["data"]
        return made

    def _clear(self, args: PostgresRestoreDrillArgs) -> None:
        provider = ManagedPostgresProvider()
        provider.config = self.config
        for cluster in postgres.living(self.fly, args.org, _name(args)):
            provider.remove(cluster["id"], provider.State(org=args.org, name=_name(args), region=cluster["region"]))


def _name(args: PostgresRestoreDrillArgs) -> str:
    """Of the second cluster: it tells whose drill it is, so that one that died is cleared away by the next."""
    return f"restore-drill-{args.cluster_id}"


class PostgresRestoreDrill(Resource[PostgresRestoreDrillArgs], module="checks", name="PostgresRestoreDrill"):
    """Evidence that a cluster comes back from a backup; its id is the cluster's.

    org, cluster_id: replaces. backup_id, database: the drill is done again.
    """

    provider = PostgresRestoreDrillProvider

    restored_at: Output[str]
    seconds: Output[float]
