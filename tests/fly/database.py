"""A backend's database and hostname as one stack, in the engine's order: Managed Postgres, its backup and drill, and a certificate."""

from typing import Any

from harness.driver import DrivenStack
from harness.inprocess import control
from providers.checks.postgres_restore_drill import PostgresRestoreDrillProvider
from providers.fly.app import AppProvider
from providers.fly.certificate import CertificateProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.issued_certificate import IssuedCertificateProvider
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.postgres_access import PostgresAccessProvider
from providers.fly.postgres_backup import PostgresBackupProvider
from providers.fly.survey import SurveyProvider
from rehearsal.cloud.world import World
from tests.fly.backend import APP, living

CLUSTER = f"{APP}-db"
CUSTOM_HOSTNAME = "api.sollabs.example"


class Database(DrivenStack):
    def up(self, *, release: str = "1.0.0", role: str = "writer") -> None:
        """Deploy all of it; raises what the first failing step raises."""
        survey = self.do(
            "survey",
            SurveyProvider,
            app=APP,
            org="sol-labs",
            machines=["solserver"],
            cluster=CLUSTER,
            addresses=["v6"],
            hostname=CUSTOM_HOSTNAME,
        )
        self.do("app", AppProvider, name=APP, org="sol-labs", existed=survey["found_apps"])
        self.do("v6", IpAddressProvider, app=APP, type="v6", existed=survey["found_addresses"])
        about = {"app": APP, "hostname": CUSTOM_HOSTNAME}
        self.do("certificate", CertificateProvider, **about, existed=survey["found_certificates"])
        self.do("issued certificate", IssuedCertificateProvider, **about)
        self.do(
            "cluster",
            ManagedPostgresProvider,
            org="sol-labs",
            name=CLUSTER,
            region="sjc",
            existed=survey["found_clusters"],
        )
        cluster = self.resources["cluster"].id
        self.do(
            "access",
            PostgresAccessProvider,
            cluster_id=cluster,
            app=APP,
            database="solserver",
            username="solserver",
            role=role,
        )
        self.do("backup", PostgresBackupProvider, cluster_id=cluster, reason=release)
        self.do(
            "drill",
            PostgresRestoreDrillProvider,
            org="sol-labs",
            cluster_id=cluster,
            backup_id=self.resources["backup"].id,
            database="solserver",
        )
        self.finish()


def enter_dns(world: World) -> None:
    """The records that a person enters at the DNS provider."""
    control(world, "POST", "/fly/dns", {"hostname": CUSTOM_HOSTNAME, "points_to": APP})


def database_held(world: World) -> dict[str, Any]:
    """The content of the world without ids and times, to compare worlds.

    Left out is how many backups there are: a fault may leave one too many, which nobody can delete.
    """
    world.clock.sleep(60)  # Deleted clusters are gone then.
    return {
        "apps": [app["name"] for app in living(world, "fly_app")],
        "addresses": [address["type"] for address in living(world, "fly_ip")],
        "certificates": [certificate["hostname"] for certificate in world.store.all("fly_certificate")],
        "clusters": [
            {
                "name": cluster["name"],
                "databases": cluster["_databases"],
                "users": {name: user["role"] for name, user in cluster["_users"].items()},
                "attached": cluster["_attached"],
                "has a backup": bool(cluster["_backups"]),
            }
            for cluster in living(world, "fly_postgres")
        ],
    }
