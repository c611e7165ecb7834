"""Restore drill for Managed Postgres: restores a backup to a second cluster, lists its databases, and deletes it.

Rows are not counted: that takes a Postgres client in Fly's network. The evidence is that Fly can restore the backup, that the
database is in it, and how long that took, which is how long the server would be down. Each backup repeats the drill.
"""

from typing import Annotated

from msgspec.structs import asdict
from pulumi import Output

from providers import waiting
from providers.creation import create_idempotent
from providers.errors import ErrorText, ProviderError
from providers.fly.api import postgres
from providers.fly.managed_postgres import ManagedPostgresProvider, ManagedPostgresState
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource


class NotRestorable(ProviderError):
    """The restored backup is not as it should be; the text says what was found."""

    __module__ = "builtins"


NO_DATABASE = ErrorText(
    "backup {backup_id} of Postgres cluster {cluster_id} was restored without database {database} (found: {found})",
    remedy="look at the cluster before you deploy anything",
    error=NotRestorable,
)


class PostgresRestoreDrillArgs(Record):
    org: Annotated[Input[str], REPLACES]
    cluster_id: Annotated[Input[str], REPLACES]
    backup_id: Input[str]
    """The backup to restore. Changing it repeats the drill."""
    database: Input[str]
    """The database that the backup must contain. Changing it repeats the drill."""


class PostgresRestoreDrillState(PostgresRestoreDrillArgs):
    restored_at: str = ""
    """RFC 3339, in UTC."""
    seconds: float = 0.0
    """From the restore call until the cluster can be used."""
    databases: list[str] = field(default_factory=list)


class PostgresRestoreDrillProvider(FlyGate[PostgresRestoreDrillArgs, PostgresRestoreDrillState]):
    Args = PostgresRestoreDrillArgs
    State = PostgresRestoreDrillState

    def ensure(self, args: PostgresRestoreDrillArgs) -> tuple[str, PostgresRestoreDrillState]:
        return args.cluster_id, self._drill(args)

    def sync(
        self, id: str, state: PostgresRestoreDrillState, args: PostgresRestoreDrillArgs
    ) -> PostgresRestoreDrillState:
        return self._drill(args)

    def remove(self, id: str, state: PostgresRestoreDrillState) -> None:
        """Delete what a drill that died has left."""
        self._clear(state)

    def _drill(self, args: PostgresRestoreDrillArgs) -> PostgresRestoreDrillState:
        fly, name, started_at = self.fly, _name(args), waiting.clock.now()
        self._clear(args)
        restored = create_idempotent(
            lambda: self._restore(args),
            lambda: next(iter(postgres.living(fly, args.org, name)), None),
            what=f"restored cluster {name}",
        )
        postgres.wait_until_ready(fly, restored.id)
        seconds = round(waiting.clock.now() - started_at, 1)
        databases = postgres.databases(fly, restored.id)
        self._clear(args, restored)
        if args.database not in databases:
            raise NO_DATABASE(
                backup_id=args.backup_id,
                cluster_id=args.cluster_id,
                database=args.database,
                found=", ".join(databases) or "none",
            )
        return PostgresRestoreDrillState(
            **asdict(args),
            restored_at=waiting.utc_now().isoformat(timespec="seconds"),
            seconds=seconds,
            databases=databases,
        )

    def _restore(self, args: PostgresRestoreDrillArgs) -> "postgres.Cluster":
        return waiting.poll(
            lambda: postgres.restore(self.fly, args.cluster_id, args.backup_id, _name(args)),
            seconds=postgres.READY_SECONDS,
            waiting_for=f"Fly to accept the restore of backup {args.backup_id}",
            action="restoring backup",
            first_pause=1.0,
        )

    def _clear(self, args: PostgresRestoreDrillArgs, *known: "postgres.Cluster") -> None:
        """Delete the `known` clusters, and what a drill that died has left. A list can lag behind the creation of a cluster."""
        provider = ManagedPostgresProvider()
        provider.config = self.config
        listed = postgres.living(self.fly, args.org, _name(args))
        for id in {cluster.id for cluster in (*known, *listed)}:
            provider.remove(id, ManagedPostgresState(org=args.org, name=_name(args), region=""))


def _name(args: PostgresRestoreDrillArgs) -> str:
    """The name of the second cluster: it names the first one, so that the next drill finds what a dead one has left."""
    return f"restore-drill-{args.cluster_id}"


class PostgresRestoreDrill(Resource[PostgresRestoreDrillArgs], module="checks", name="PostgresRestoreDrill"):
    """Evidence that a cluster can be restored from a backup; its id is the cluster's.

    org, cluster_id: replaces. backup_id, database: repeats the drill.
    """

    provider = PostgresRestoreDrillProvider

    restored_at: Output[str]
    seconds: Output[float]
