"""The database as a Managed Postgres cluster: created, attached, backed up before each new image, restored as a proof."""

import pulumi

from components.backend.database import DatabaseSettings, cluster_name
from components.base import Component
from providers.checks.postgres_restore_drill import PostgresRestoreDrill, PostgresRestoreDrillArgs
from providers.fly.managed_postgres import ManagedPostgres, ManagedPostgresArgs
from providers.fly.postgres_access import PostgresAccess, PostgresAccessArgs
from providers.fly.postgres_backup import PostgresBackup, PostgresBackupArgs


class Postgres(Component):
    """`url` is one of the server's secrets; the machine waits for `backup`."""

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
        server: str,
        release: pulumi.Output[str],
        existed: pulumi.Output[list[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`server` is the name of the server's database, and of its user. `release` is the image that is about to run. `protect` in `opts` protects the cluster."""
        super().__init__(name, opts)
        self._org, self._server = org, server

        # A cluster with another name is another resource. The server moves to it before the engine deletes the old one, which
        # is retained where anything is protected: it may hold the only copy of the rows.
        cluster = ManagedPostgres(
            f"{name}-cluster-{settings.name}" if settings.name else f"{name}-cluster",
            ManagedPostgresArgs(
                org=org,
                name=cluster_name(settings, app),
                region=region,
                plan=settings.plan,
                disk_size_gb=settings.disk_size_gb,
                pg_major_version=settings.pg_major_version,
                existed=existed,
            ),
            pulumi.ResourceOptions.merge(self.child_opts(), pulumi.ResourceOptions(retain_on_delete=self.is_protected)),
        )
        access = PostgresAccess(
            f"{name}-access",
            PostgresAccessArgs(cluster_id=cluster.id, app=app, database=server, username=server),
            self.replaceable_opts(),
        )
        self.url = access.url
        self.backup = PostgresBackup(
            f"{name}-backup", PostgresBackupArgs(cluster_id=access.cluster_id, reason=release), self.replaceable_opts()
        )
        self.register_outputs({"backup": self.backup.id})

    def prove_restore(self, after: pulumi.Resource) -> None:
        """Prove for each backup that the database can be restored from it."""
        PostgresRestoreDrill(
            f"{self.name}-restore-drill",
            PostgresRestoreDrillArgs(
                org=self._org, cluster_id=self.backup.cluster_id, backup_id=self.backup.id, database=self._server
            ),
            self.replaceable_opts(after),
        )
