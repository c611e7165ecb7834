"""The backend: app, addresses, database, secrets, image, one machine, and the evidence that it is healthy from outside."""

from typing import Any

import pulumi
import pulumi_random as random

from components.backend import environment, image_build
from components.backend.postgres import Postgres
from components.backend.settings import ENDING, BackendSettings
from providers.checks.replica_drill import ReplicaDrill
from providers.checks.restore_drill import RestoreDrill
from providers.checks.rollout import Rollout
from providers.fly.app import App
from providers.fly.certificate import Certificate
from providers.fly.image import Image
from providers.fly.ip_address import IpAddress
from providers.fly.issued_certificate import IssuedCertificate
from providers.fly.machine import Machine
from providers.fly.safe_update.machine_config import revision
from providers.fly.secrets import Secrets
from providers.fly.volume import Volume

SECRET_LENGTH = 48
DRILL_IMAGE = "docker.io/library/python:3.13-alpine"
"""What opens a restored database: SQLite comes with Python."""


class Backend(pulumi.ComponentResource):
    """Verified when `rollout` exists: whatever needs a healthy backend depends on that."""

    app: pulumi.Output[str]
    hostname: pulumi.Output[str]
    url: pulumi.Output[str]
    """Where apps reach it, without a slash at the end."""
    health_path: str
    rollout: Rollout
    certificate: pulumi.Output[dict[str, Any]] | None
    """Of a hostname of the team's own: until when it is good, and the DNS records that it stands on."""
    last_update: pulumi.Output[dict[str, Any]]
    """When the running version was verified, what that took, and the snapshot of the volume from before it."""
    restored_at: pulumi.Output[str] | None
    """When its database last came back from a backup; None where that is not proven."""

    def __init__(self, name: str, settings: BackendSettings, *, protect: bool) -> None:
        """`protect` keeps the app and its data from being deleted by accident."""
        super().__init__("solos:Backend", name)
        inner = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=protect)
        machine, region = settings.machine, settings.machine.primary_region or ""

        name_of_app = self._app_name(settings, inner)
        app = App("app", name=name_of_app, org=settings.org, keep_snapshots=protect, opts=kept)
        addresses = [
            IpAddress(f"address-{type.removeprefix('shared_')}", app=app.name, type=type, opts=inner)
            for type in ("shared_v4", "v6")
        ]
        image = self._image(settings, inner)
        volume = self._volume(app, image, settings, region, protect=protect) if machine.mount else None
        domain = self._domain(settings, app, addresses, inner) if settings.domain else None
        postgres = self._postgres(app, image, settings, protect) if settings.database.kind == "postgres" else None
        secret_values = self._secret_values(settings, inner)
        if postgres:
            secret_values["DATABASE_URL"] = postgres.url
        # New secrets take effect with the next start of any machine: they stay as they are when there is no image to start.
        known = pulumi.ResourceOptions(parent=self, depends_on=[image])
        secrets = Secrets("secrets", app=app.name, values=secret_values, opts=known)
        running = Machine(
            "machine",
            app=app.name,
            name=settings.machine_name,
            region=region,
            config=machine.config,
            image=image.pinned,
            volume_id=volume.id if volume else None,
            secrets_version=secrets.version,
            hostname=app.hostname,
            health_path=settings.health_path,
            expect_body=settings.expect_body,
            healthy_seconds=machine.wait_seconds,
            definition=machine.document,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*addresses, *([postgres.backup] if postgres else [])]),
        )
        self.app = app.name
        self.hostname = domain.hostname if domain else app.hostname
        self.health_path = settings.health_path
        self.url = pulumi.Output.concat("https://", self.hostname)
        self.rollout = Rollout(
            "rollout",
            app=app.name,
            hostname=self.hostname,
            path=settings.health_path,
            expect_body=settings.expect_body,
            machine_id=running.id,
            revision=pulumi.Output.all(image.pinned, secrets.version).apply(
                lambda known: revision(machine.config, known[0], int(known[1]))
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*addresses, *filter(None, [domain]), running]),
        )
        self.machine = running
        self.restored_at = None
        if volume and settings.database.restore_drill:
            self.restored_at = self._prove_restore(app, volume, settings, release=image.pinned, after=self.rollout)
            if settings.has_replica:
                ReplicaDrill(
                    "replica-drill",
                    app=app.name,
                    machine_id=running.id,
                    database=settings.machine.env["DATABASE_PATH"],
                    release=image.pinned,
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[self.rollout]),
                )
        if postgres and settings.database.restore_drill:
            self.restored_at = postgres.prove_restore(after=self.rollout)
        self.image = image.pinned
        self.certificate = (
            pulumi.Output.all(
                hostname=domain.hostname,
                expiresAt=domain.expires_at,
                issuer=domain.issuer,
                dnsRecords=domain.dns_records,
            )
            if domain
            else None
        )
        self.last_update = pulumi.Output.all(
            verifiedAt=running.verified_at,
            startSeconds=running.start_seconds,
            checksSeconds=running.checks_seconds,
            downtimeSeconds=running.downtime_seconds,
            latenciesMs=running.latencies_ms,
            snapshot=running.snapshot_id,
        )
        self.register_outputs({"hostname": self.hostname, "image": self.image})

    @staticmethod
    def _app_name(settings: BackendSettings, inner: pulumi.ResourceOptions) -> pulumi.Input[str]:
        if not settings.unique_names:
            return settings.app
        ending = random.RandomString("ending", length=ENDING - 1, special=False, upper=False, opts=inner)
        return pulumi.Output.concat(settings.app, "-", ending.result)

    @staticmethod
    def _image(settings: BackendSettings, inner: pulumi.ResourceOptions) -> Image:
        if settings.image_build is None:
            return Image("image", reference=settings.image, opts=inner)
        built = image_build.build(settings.image_build, settings.image, inner)
        after = pulumi.ResourceOptions.merge(inner, pulumi.ResourceOptions(depends_on=[built]))
        return Image("image", reference=settings.image, source=settings.image_build.source, opts=after)

    @staticmethod
    def _secret_values(settings: BackendSettings, inner: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        made: dict[str, pulumi.Input[str]] = {
            name: random.RandomPassword(
                name.lower().replace("_", "-"), length=SECRET_LENGTH, special=False, opts=inner
            ).result
            for name in environment.generated()
            if name not in settings.given_secrets
        }
        return {**made, **{name: pulumi.Output.secret(value) for name, value in settings.given_secrets.items()}}

    @staticmethod
    def _domain(
        settings: BackendSettings, app: App, addresses: list[IpAddress], inner: pulumi.ResourceOptions
    ) -> IssuedCertificate:
        """The gate at which the team's own hostname is known to lead here."""
        after = pulumi.ResourceOptions.merge(inner, pulumi.ResourceOptions(depends_on=addresses))
        certificate = Certificate("certificate", app=app.name, hostname=settings.domain, opts=after)
        return IssuedCertificate(
            "domain",
            app=app.name,
            hostname=certificate.hostname,
            dns_seconds=settings.wait_for_domain,
            opts=pulumi.ResourceOptions.merge(inner, pulumi.ResourceOptions(depends_on=[certificate])),
        )

    def _postgres(self, app: App, image: Image, settings: BackendSettings, protect: bool) -> Postgres:
        return Postgres(
            "database",
            settings.database,
            org=settings.org,
            app=app.name,
            region=settings.machine.primary_region or "",
            release=image.pinned,
            protect=protect,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _volume(self, app: App, image: Image, settings: BackendSettings, region: str, *, protect: bool) -> Volume:
        """Once its protection is lifted, it is deleted after a last snapshot."""
        mount = settings.machine.mount
        assert mount is not None
        return Volume(
            "volume",
            app=app.name,
            name=mount.source,
            region=region,
            size_gb=mount.initial_size_gb,
            snapshot_retention=mount.snapshot_retention,
            scheduled_snapshots=mount.scheduled_snapshots,
            guest=settings.machine.guest,
            image=image.pinned,
            from_snapshot=settings.database.from_snapshot,
            last_snapshot=protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )

    def _prove_restore(
        self,
        app: App,
        volume: Volume,
        settings: BackendSettings,
        *,
        release: pulumi.Output[str],
        after: pulumi.Resource,
    ) -> pulumi.Output[str]:
        """For each release, the evidence that its database comes back from a snapshot."""
        mount = settings.machine.mount
        assert mount is not None
        python = Image("drill-image", reference=DRILL_IMAGE, opts=pulumi.ResourceOptions(parent=self))
        drill = RestoreDrill(
            "restore-drill",
            app=app.name,
            volume_id=volume.id,
            region=settings.machine.primary_region or "",
            image=python.pinned,
            mount=mount.destination,
            database=settings.machine.env["DATABASE_PATH"],
            release=release,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )
        return drill.restored_at
