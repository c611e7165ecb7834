"""The rows of the backend: app, machine, database, secrets, image, address and health.

All of them block: the build points at this backend, which stores the testers' data.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from checklist.known import Known, Shape
from checklist.row import Failed, Missing, Phase, need, row

BACKEND = "Backend"
UP = "run `pulumi up`"
NO_DATABASE = "none, as `database` declares"


class App(Shape, frozen=True, kw_only=True):
    kind = "fly:App"

    name: str
    org: str
    hostname: str


class Machine(Shape, frozen=True, kw_only=True):
    kind = "fly:Machine"

    name: str
    region: str
    image: str
    config: Mapping[str, Any]
    instance_id: str = ""
    """The version that runs."""
    machine_id: str = ""
    """The machine that runs; empty in a state from before updates side by side."""
    start_seconds: float = 0.0
    checks_seconds: float = 0.0
    downtime_seconds: float = 0.0


class Volume(Shape, frozen=True, kw_only=True):
    kind = "fly:Volume"

    region: str
    size_gb: int
    encrypted: bool = False


class DeclaredDatabase(Shape, frozen=True, kw_only=True):
    kind = "checks:DeclaredDatabase"

    managed: str
    """external or none."""
    host: str
    restored_on: str
    restored_by: str


class ManagedPostgres(Shape, frozen=True, kw_only=True):
    kind = "fly:ManagedPostgres"

    region: str
    plan: str
    pg_major_version: str


class PostgresAccess(Shape, frozen=True, kw_only=True):
    kind = "fly:PostgresAccess"

    database: str
    host: str


class PostgresBackup(Shape, frozen=True, kw_only=True):
    kind = "fly:PostgresBackup"

    finished_at: str


class Secrets(Shape, frozen=True, kw_only=True):
    kind = "fly:Secrets"

    version: int
    digests: Mapping[str, str] = msgspec.field(default_factory=dict)


class Image(Shape, frozen=True, kw_only=True):
    kind = "fly:Image"

    reference: str
    digest: str
    pinned: str


class IpAddress(Shape, frozen=True, kw_only=True):
    kind = "fly:IpAddress"

    type: str
    address: str


class IssuedCertificate(Shape, frozen=True, kw_only=True):
    kind = "fly:IssuedCertificate"

    hostname: str
    expires_at: str


class Rollout(Shape, frozen=True, kw_only=True):
    kind = "checks:Rollout"

    image: str
    hostname: str
    path: str
    instance_id: str
    verified_at: str
    expect_status: int = 200
    latencies_ms: list[float] = msgspec.field(default_factory=list)

    @property
    def url(self) -> str:
        """Where clients reach the backend, without a slash at the end."""
        return f"https://{self.hostname}"


def fly_page(page: str = "", within: str = BACKEND) -> Callable[[Known], str]:
    """A link to a page of an app in Fly's dashboard."""
    return lambda known: f"https://fly.io/apps/{need(known, App, within=within).name}{page}"


def running_image(known: Known) -> Image:
    """The image resource of the stack that the backend's machine runs. Raises Open."""
    machine = need(known, Machine, within=BACKEND)
    found = next((image for image in known.all(Image, within=BACKEND) if image.pinned == machine.image), None)
    if found is None:
        raise Failed(f"the machine runs {machine.image}, which is not the image of the stack", remedy=UP)
    return found


@row(
    "app",
    Phase.BACKEND,
    "App created on Fly.io",
    absent="the app is not created yet",
    remedy=UP,
    link=fly_page(),
)
def app(known: Known) -> str:
    """The app in the organisation of the stack."""
    found = need(known, App, within=BACKEND)
    return f"{found.name} in organisation {found.org}, {found.hostname}"


@row(
    "machine",
    Phase.BACKEND,
    "fly.toml finalised: one machine, one region",
    absent="the machine is not created yet",
    remedy=UP,
    link=fly_page("/machines"),
)
def machine(known: Known) -> str:
    """Exactly one machine: SQLite is on a volume that only one can mount."""
    found = need(known, Machine, within=BACKEND)
    count = len(list(known.all(Machine, within=BACKEND)))
    if count > 1:
        raise Failed(f"{count} machines, and a backend runs on one", remedy="keep one machine in the program")
    guest = found.config.get("guest") or {}
    size = f", {guest.get('cpus')} {guest.get('cpu_kind')} CPU, {guest.get('memory_mb')} MB" if guest else ""
    return f"machine {found.machine_id or found.id} in {found.region}{size}"


@row(
    "database",
    Phase.BACKEND,
    "Production database",
    absent="there is neither a volume nor a Postgres cluster",
    remedy=UP,
    link=fly_page("/volumes"),
)
def database(known: Known) -> str:
    """SQLite on a volume, Managed Postgres with a backup that was taken before the release, an external database, or none."""
    if declared := known.first(DeclaredDatabase):
        return f"external Postgres at {declared.host}" if declared.managed == "external" else NO_DATABASE
    if known.first(ManagedPostgres):
        cluster = need(known, ManagedPostgres)
        access, backup = need(known, PostgresAccess), need(known, PostgresBackup)
        return (
            f"Postgres {cluster.pg_major_version}, cluster {cluster.id} in {cluster.region}, plan {cluster.plan}, "
            f"database {access.database} at {access.host}, backed up {backup.finished_at}"
        )
    volume = need(known, Volume)
    encrypted = "encrypted" if volume.encrypted else "not encrypted"
    return f"SQLite on volume {volume.id} in {volume.region}, {volume.size_gb} GB, {encrypted}"


@row(
    "secrets",
    Phase.BACKEND,
    "Secrets set on Fly.io",
    absent="no secret is set yet",
    remedy=UP,
    link=fly_page("/secrets"),
)
def secrets(known: Known) -> str:
    """The evidence has only their names: Fly does not return the values."""
    found = need(known, Secrets, within=BACKEND)
    return f"{', '.join(sorted(found.digests))} (version {found.version})"


@row(
    "image",
    Phase.BACKEND,
    "Released image, by digest",
    absent="no machine runs an image yet",
    remedy=UP,
)
def image(known: Known) -> str:
    """The machine runs the image of this stack."""
    found = running_image(known)
    return f"{found.reference} is {found.digest}"


@row(
    "address",
    Phase.BACKEND,
    "Public address",
    absent="the app has no public address yet",
    remedy=UP,
    link=lambda known: need(known, Rollout).url,
)
def address(known: Known) -> str:
    """The app's hostname and addresses, and the custom hostname if there is one."""
    need(known, IpAddress)
    own = "".join(
        f", {certificate.hostname} with a certificate until {certificate.expires_at[:10]}"
        for certificate in known.all(IssuedCertificate)
    )
    addresses = ", ".join(sorted(f"{address.type} {address.address}" for address in known.all(IpAddress)))
    return f"{need(known, App, within=BACKEND).hostname}{own}: {addresses}"


@row(
    "healthy",
    Phase.BACKEND,
    "Deployed and verified healthy",
    absent="the backend is not verified yet",
    remedy=UP,
    link=lambda known: f"{(rollout := need(known, Rollout)).url}{rollout.path}",
)
def healthy(known: Known) -> str:
    """The public health URL responded as expected, several times in a row."""
    rollout = need(known, Rollout)
    if not rollout.latencies_ms:
        raise Missing
    runs = need(known, Machine, within=BACKEND)
    if rollout.image != runs.image:
        raise Missing(f"{rollout.image} was verified, and {runs.image} runs")
    if runs.instance_id not in ("", rollout.instance_id):
        raise Missing(f"instance {rollout.instance_id} was verified, and {runs.instance_id} of the same image runs")
    return (
        f"{rollout.url}{rollout.path} returned {rollout.expect_status} {len(rollout.latencies_ms)} times, "
        f"slowest {max(rollout.latencies_ms):.0f} ms, instance {rollout.instance_id}, verified {rollout.verified_at}"
        f"{_last_update(known)}"
    )


def _last_update(known: Known) -> str:
    found = known.first(Machine, within=BACKEND)
    if found is None or not found.downtime_seconds:
        return ""
    return (
        f"; last update: started in {found.start_seconds:g} s, checks after {found.checks_seconds:g} s, "
        f"{found.downtime_seconds:g} s down at most"
    )


ROWS = (app, machine, database, secrets, image, address, healthy)
