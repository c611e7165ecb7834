"""The database as a cluster of Managed Postgres: made, given to the server, backed up before another image runs, restored to prove it."""

import pulumi

from components.backend.database import DatabaseSettings
from providers.checks.postgres_restore_drill import PostgresRestoreDrill
from providers.fly.managed_postgres import ManagedPostgres
from providers.fly.postgres_access import PostgresAccess
from providers.fly.postgres_backup import PostgresBackup

SERVER = "solserver"
"""What the server is called in its cluster: as database and as user."""


class Postgres(pulumi.ComponentResource):
    """`url` is for the server's secrets; the machine waits for `backup`."""

    url: pulumi.Output[str]
    backup: PostgresBackup

    def __init__(
        self,
        name: str,
        settings: DatabaseSettings,
        *,
        org: str,
        app: pulumi.Output[str],
        region: str,
        release: pulumi.Output[str],
        protect: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`release` is the image that is about to run. `protect` keeps the cluster from being deleted by accident."""
        super().__init__("solos:Postgres", name, opts=opts)
        inner = pulumi.ResourceOptions(parent=self)
        self._org = org

        # Another name is another resource: the server moves over before the engine comes to the old cluster, which it keeps
        # where anything is protected. Its rows may be all there is.
        cluster = ManagedPostgres(
            f"postgres-{settings.name}" if settings.name else "postgres",
            org=org,
            name=settings.name or pulumi.Output.concat(app, "-db"),
            region=region,
            plan=settings.plan,
            disk_size_gb=settings.disk_size_gb,
            pg_major_version=settings.pg_major_version,
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=protect),
        )
        access = PostgresAccess(
            "postgres-access", cluster_id=cluster.id, app=app, database=SERVER, username=SERVER, opts=inner
        )
        self.url = access.url
        self.backup = PostgresBackup("backup", cluster_id=access.cluster_id, reason=release, opts=inner)
        self.register_outputs({"backup": self.backup.id})

    def prove_restore(self, after: pulumi.Resource) -> pulumi.Output[str]:
        """With each backup, the evidence that the database comes back from it."""
        drill = PostgresRestoreDrill(
            "restore-drill",
            org=self._org,
            cluster_id=self.backup.cluster_id,
            backup_id=self.backup.id,
            database=SERVER,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )
        return drill.restored_at
