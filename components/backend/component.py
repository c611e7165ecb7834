"""The backend: app, addresses, database, secrets, image, one machine, and the proof that it is healthy from outside."""

from typing import Any

import pulumi
import pulumi_random as random
from msgspec.structs import replace

from components.backend import image_build, postgres
from components.backend.database import cluster_name
from components.backend.settings import SUFFIX_LENGTH, BackendSettings
from components.base import Component
from providers.checks import declared_database, replica_drill
from providers.checks.restore_drill import RestoreDrill, RestoreDrillArgs
from providers.checks.rollout import Rollout, RolloutArgs
from providers.fly import certificate, issued_certificate, release_command
from providers.fly.app import App, AppArgs
from providers.fly.appconfig import AppConfig, ReleaseCommand
from providers.fly.image import Image, ImageArgs
from providers.fly.ip_address import IpAddress, IpAddressArgs, Kind
from providers.fly.machine import Machine
from providers.fly.machine_record import MachineArgs, machine_names, packed
from providers.fly.safe_update import machine_config
from providers.fly.secrets import Secrets, SecretsArgs
from providers.fly.survey import Survey, SurveyArgs
from providers.fly.volume import Volume, VolumeArgs

ADDRESSES: tuple[Kind, ...] = ("shared_v4", "v6")
SECRET_LENGTH = 48
RELEASE_GUEST = {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}
"""The size of the machine of a release command where fly.toml has none, as with `fly deploy`."""
MIN_ROLLOUT_SECONDS = 30.0
"""What the public probes get at least, when the machine has used up `[deploy] wait_timeout`."""
DRILL_IMAGE = "docker.io/library/python:3.13-alpine"
"""The restore drill opens the restored database in it: SQLite comes with Python."""


class Backend(Component):
    """The backend is verified once `rollout` exists: what needs a healthy backend depends on that."""

    settings: BackendSettings
    survey: Survey
    app: pulumi.Output[str]
    machine: Machine
    image: pulumi.Output[str]
    """The image that runs, by digest."""
    hostname: pulumi.Output[str]
    url: pulumi.Output[str]
    """Base URL for clients, without a slash at the end."""
    health_path: str
    rollout: Rollout
    certificate: pulumi.Output[dict[str, Any]] | None
    """Expiry, issuer and DNS records of the custom hostname's certificate; None without a custom hostname."""
    last_update: pulumi.Output[str]
    """When the running version was verified, how long that took, and the volume snapshot taken before, for people."""

    def __init__(
        self,
        name: str,
        settings: BackendSettings,
        opts: pulumi.ResourceOptions | None = None,
        *,
        monitor_suffix: str = "",
    ) -> None:
        """`protect` in `opts` protects the app, its data and its machine. `monitor_suffix`, after the name of the app, is the name
        of the monitor, whose alerts are silenced during updates; empty without a monitor."""
        super().__init__(name, opts)
        self.settings = settings
        fly_toml = settings.fly_toml
        if fly_toml.warnings:
            pulumi.info(not_used(fly_toml), self)

        app_name = self._app_name()
        self.survey = Survey(
            f"{name}-survey",
            replace(claims(settings, app_name), protected=self.is_protected, replaceable=settings.replace_machine),
            self.replaceable_opts(),
        )
        app = App(
            f"{name}-app",
            AppArgs(
                name=app_name,
                org=settings.org,
                keep_snapshots=self.is_protected,
                existed=self.survey.found_apps,
            ),
            self.child_opts(),
        )
        addresses = [
            IpAddress(
                f"{name}-address-{type.removeprefix('shared_')}",
                IpAddressArgs(app=app.name, type=type, existed=self.survey.found_addresses),
                self.child_opts(),
            )
            for type in ADDRESSES
        ]
        image = self._image()
        volume = self._volume(app, image) if fly_toml.mount else None
        domain = self._domain(app, addresses) if settings.domain else None
        postgres = self._postgres(app, image) if settings.database.kind == "postgres" else None
        if settings.database.kind in ("external", "none"):
            self._declare_database()
        secret_values = self._secret_values()
        if postgres:
            secret_values["DATABASE_URL"] = postgres.url
        # Any restart of a machine loads the current secrets. So they are set only once the image that needs them is known.
        secrets = Secrets(
            f"{name}-secrets",
            SecretsArgs(
                app=app.name,
                values=pulumi.Output.all(self.survey.found_secrets, pulumi.Output.all(**secret_values)).apply(
                    lambda known: self._without_kept(*known)
                ),
                generated=[name for name in settings.contract.generated() if name not in settings.given_secrets],
                existed=self.survey.found_secrets,
            ),
            self.child_opts(image),
        )
        before: list[pulumi.Resource] = [postgres.backup] if postgres else []
        if fly_toml.release:
            before.append(self._release_command(fly_toml.release, app, image, secrets, before))
        machine = Machine(
            f"{name}-machine",
            MachineArgs(
                app=app.name,
                name=settings.machine_name,
                region=settings.region,
                config=fly_toml.config,
                image=image.pinned,
                volume_id=volume.id if volume else None,
                secrets_version=secrets.version,
                hostname=app.hostname,
                health_path=settings.health_path,
                expect_body=settings.expect_body,
                healthy_seconds=fly_toml.wait_seconds,
                replaceable=settings.replace_machine or not self.is_protected,
                existed=self.survey.found_machines,
                definition=packed(fly_toml.document),
                tag="" if "@" in settings.image else settings.image,
                strategy=fly_toml.strategy,
                monitor=app.name.apply(lambda known: known + monitor_suffix) if monitor_suffix else None,
                restore_required=volume.replaces_lost if volume else False,
            ),
            self.child_opts(*addresses, *before),
        )
        self.app = app.name
        self.machine = machine
        self.image = image.pinned
        self.hostname = domain.hostname if domain else app.hostname
        self.health_path = settings.health_path
        self.url = pulumi.Output.concat("https://", self.hostname)
        self.rollout = Rollout(
            f"{name}-rollout",
            RolloutArgs(
                app=app.name,
                hostname=self.hostname,
                path=settings.health_path,
                expect_body=settings.expect_body,
                seconds=machine.checks_seconds.apply(
                    lambda used: max(MIN_ROLLOUT_SECONDS, fly_toml.wait_seconds - used)
                ),
                machine_id=machine.machine_id,
                instance_id=machine.instance_id,
            ),
            self.replaceable_opts(*addresses, *([domain] if domain else []), machine),
        )
        if volume and settings.database.kind == "sqlite" and settings.database.restore_drill:
            self._prove_restore(volume)
        if postgres and settings.database.restore_drill:
            postgres.prove_restore(after=self.rollout)
        self.certificate = _certificate(domain) if domain else None
        self.last_update = pulumi.Output.all(
            machine.verified_at,
            machine.start_seconds,
            machine.checks_seconds,
            machine.downtime_seconds,
            machine.snapshot_id,
        ).apply(lambda measured: last_update(*measured))
        self.register_outputs({"hostname": self.hostname, "image": self.image})

    def _app_name(self) -> pulumi.Input[str]:
        if not self.settings.unique_names:
            return self.settings.app
        suffix = random.RandomString(
            f"{self.name}-suffix", length=SUFFIX_LENGTH - 1, special=False, upper=False, opts=self.child_opts()
        )
        return pulumi.Output.concat(self.settings.app, "-", suffix.result)

    def _image(self) -> Image:
        name, settings = f"{self.name}-image", self.settings
        if settings.image_build is None:
            return Image(name, ImageArgs(reference=settings.image), self.replaceable_opts())
        built = image_build.build(f"{name}-build", settings.image_build, settings.image, self.replaceable_opts())
        return Image(
            name, ImageArgs(reference=settings.image, source=settings.image_build.source), self.replaceable_opts(built)
        )

    def _revision(self, image: Image, secrets: Secrets) -> pulumi.Output[str]:
        """What the machine runs, as a hash."""
        return pulumi.Output.all(image.pinned, secrets.version).apply(
            lambda known: machine_config.revision(self.settings.fly_toml.config, known[0], int(known[1]))
        )

    def _release_command(
        self, command: ReleaseCommand, app: App, image: Image, secrets: Secrets, before: list[pulumi.Resource]
    ) -> "release_command.ReleaseCommand":
        """Without a size of its own, the command gets that of the server's machine, as with `fly deploy`."""
        guest = command.config.get("guest") or self.settings.fly_toml.guest or RELEASE_GUEST
        return release_command.ReleaseCommand(
            f"{self.name}-release-command",
            release_command.ReleaseCommandArgs(
                app=app.name,
                region=self.settings.region,
                command=command.command,
                config={**command.config, "guest": guest},
                image=image.pinned,
                secrets_version=secrets.version,
                release=self._revision(image, secrets),
                seconds=command.seconds,
            ),
            self.replaceable_opts(*before),
        )

    def _secret_values(self) -> dict[str, pulumi.Input[str]]:
        given = self.settings.given_secrets
        generated: dict[str, pulumi.Input[str]] = {
            name: random.RandomPassword(
                f"{self.name}-{name.lower().replace('_', '-')}",
                length=SECRET_LENGTH,
                special=False,
                opts=self.replaceable_opts(),  # A given value takes its place.
            ).result
            for name in self.settings.contract.generated()
            if name not in given
        }
        return {**generated, **{name: pulumi.Output.secret(value) for name, value in given.items()}}

    def _without_kept(self, found: list[str], values: dict[str, str]) -> dict[str, str]:
        """A generated secret that the app had before the stack keeps its value, which nobody can read."""
        kept = set(found) & set(self.settings.contract.generated()) - self.settings.given_secrets.keys()
        return {name: value for name, value in values.items() if name not in kept}

    def _domain(self, app: App, addresses: list[IpAddress]) -> "issued_certificate.IssuedCertificate":
        """Waits until the custom hostname has a certificate, which proves that it points to the app."""
        named = certificate.Certificate(
            f"{self.name}-certificate",
            certificate.CertificateArgs(
                app=app.name, hostname=self.settings.domain, existed=self.survey.found_certificates
            ),
            self.child_opts(*addresses),
        )
        return issued_certificate.IssuedCertificate(
            f"{self.name}-domain",
            issued_certificate.IssuedCertificateArgs(
                app=app.name, hostname=named.hostname, dns_seconds=self.settings.wait_for_domain
            ),
            self.replaceable_opts(named),
        )

    def _postgres(self, app: App, image: Image) -> "postgres.Postgres":
        return postgres.Postgres(
            f"{self.name}-postgres",
            self.settings.database,
            org=self.settings.org,
            app=app.name,
            region=self.settings.region,
            server=self.settings.database.server or self.settings.machine_name.replace("-", "_"),
            release=image.pinned,
            existed=self.survey.found_clusters,
            opts=self.child_opts(),
        )

    def _volume(self, app: App, image: Image) -> Volume:
        """A protected volume has to be unprotected before it can be deleted; the deletion then takes a last snapshot."""
        mount = self.settings.fly_toml.mount
        assert mount is not None
        return Volume(
            f"{self.name}-volume",
            VolumeArgs(
                app=app.name,
                name=mount.source,
                region=self.settings.region,
                size_gb=mount.initial_size_gb,
                snapshot_retention=mount.snapshot_retention,
                scheduled_snapshots=mount.scheduled_snapshots,
                guest=self.settings.fly_toml.guest,
                image=image.pinned,
                from_snapshot=self.settings.database.from_snapshot,
                is_replicated=self.settings.has_replica,
                last_snapshot=self.is_protected,
                healthy_seconds=self.settings.fly_toml.wait_seconds,
                existed=self.survey.found_volumes,
            ),
            self.child_opts(),
        )

    def _declare_database(self) -> None:
        database = self.settings.database
        declared_database.DeclaredDatabase(
            f"{self.name}-database",
            declared_database.DeclaredDatabaseArgs(
                managed=database.kind,
                host=database.host,
                restored_on=database.restored_on,
                restored_by=database.restored_by,
            ),
            self.replaceable_opts(),
        )

    def _prove_restore(self, volume: Volume) -> None:
        """Prove for each release that its database can be restored: from a snapshot, and from the replica if there is one."""
        fly_toml, database = self.settings.fly_toml, self.settings.fly_toml.env["DATABASE_PATH"]
        assert fly_toml.mount is not None
        python = Image(f"{self.name}-drill-image", ImageArgs(reference=DRILL_IMAGE), self.replaceable_opts())
        RestoreDrill(
            f"{self.name}-restore-drill",
            RestoreDrillArgs(
                app=self.app,
                volume_id=volume.id,
                region=self.settings.region,
                image=python.pinned,
                mount=fly_toml.mount.destination,
                database=database,
                release=self.image,
                machine_id=self.machine.machine_id,
            ),
            self.replaceable_opts(self.rollout),
        )
        if self.settings.has_replica:
            replica_drill.ReplicaDrill(
                f"{self.name}-replica-drill",
                replica_drill.ReplicaDrillArgs(
                    app=self.app, machine_id=self.machine.machine_id, database=database, release=self.image
                ),
                self.replaceable_opts(self.rollout),
            )


def claims(settings: BackendSettings, app: pulumi.Input[str]) -> SurveyArgs:
    """What the backend is going to have in its app, by name."""
    mount, database, given = settings.fly_toml.mount, settings.database, settings.given_secrets
    generated = [name for name in settings.contract.generated() if name not in given]
    return SurveyArgs(
        app=app,
        org=settings.org,
        machines=machine_names(settings.machine_name, settings.fly_toml.strategy),
        region=settings.region,
        volume=mount.source if mount else None,
        cluster=cluster_name(database, app) if database.kind == "postgres" else None,
        addresses=list(ADDRESSES),
        hostname=settings.domain,
        secrets=sorted({*given, *generated}),
        kept_secrets=generated,
        database=settings.database_file,
    )


def not_used(fly_toml: AppConfig) -> str:
    """What a preview says about the lines of fly.toml that have no effect here."""
    return "\n  ".join(
        ["these lines have no effect here:", *(f"{warning.key}: {warning}" for warning in fly_toml.warnings)]
    )


def _certificate(domain: "issued_certificate.IssuedCertificate") -> pulumi.Output[dict[str, Any]]:
    return pulumi.Output.all(
        hostname=domain.hostname, expiresAt=domain.expires_at, issuer=domain.issuer, dnsRecords=domain.dns_records
    )


def last_update(verified_at: str, start: float, checks: float, downtime: float, snapshot_id: str) -> str:
    """The text of the output `lastUpdate`. `pulumi refresh` clears what was measured when another version runs than before."""
    if not verified_at:
        return "not measured: a rollback, or something else than `pulumi up`, started the version that runs"
    return (
        f"verified {verified_at}: started after {start} s, checks passed after {checks} s, down for {downtime} s at most, "
        f"snapshot {snapshot_id or 'none'}"
    )
