"""Volumes and their snapshots. Lists contain deleted volumes for a day; taking a snapshot returns no id."""

import msgspec

from providers import waiting
from providers.errors import ErrorText
from providers.fly.api.client import Fly, FlyError, NotFound

GONE = frozenset(
    {
        "scheduling_destroy",
        "scheduled_for_destruction",
        "pending_destroy",
        "fork_cleanup",
        "waiting_for_detach",
        "destroying",
        "destroyed",
    }
)
SNAPSHOT_SECONDS = 600.0
DETACH_SECONDS = 120.0
"""Fly keeps the volume of a destroyed machine attached for up to about a minute."""

SNAPSHOT_FAILED = ErrorText(
    "Fly failed to take a snapshot of volume {volume_id} of app {app}", remedy="run `pulumi up` again"
)
BAD_HOST = ErrorText(
    "volume {id} of app {app} is on a host that Fly reports as {status}: nothing was changed",
    remedy="look at https://status.fly.io and run the same command again when the host is back; if it stays away, restore the "
    "newest snapshot as for a lost volume (infra-docs/BACKUPS.md)",
)


class Volume(msgspec.Struct):
    id: str
    state: str
    size_gb: int
    name: str
    region: str
    zone: str = ""
    created_at: str = ""
    """RFC 3339, in UTC."""
    encrypted: bool | None = None
    snapshot_retention: int | None = None
    """Days."""
    auto_backup_enabled: bool | None = None
    attached_machine_id: str | None = None
    host_status: str = "ok"
    """`unreachable` or `unknown` while Fly cannot reach the volume's host."""

    @property
    def is_gone(self) -> bool:
        """Whether the volume is deleted: Fly still lists it for a day."""
        return self.state in GONE


class Extended(msgspec.Struct):
    volume: Volume
    needs_restart: bool


class Snapshot(msgspec.Struct):
    id: str
    status: str
    created_at: str = ""
    """RFC 3339."""
    size: int = 0
    """Bytes."""


def path(app: str, id: str) -> str:
    return f"/apps/{app}/volumes/{id}"


def look_up(fly: Fly, app: str, id: str) -> Volume:
    """The volume in whatever state. Raises NotFound."""
    return fly.call("GET", path(app, id), doing=f"look up volume {id} of app {app}", shape=Volume)


def find(fly: Fly, app: str, id: str) -> Volume | None:
    """The volume, or None when it is gone."""
    try:
        volume = look_up(fly, app, id)
    except NotFound:
        return None
    return None if volume.is_gone else volume


def list_all(fly: Fly, app: str) -> list[Volume]:
    """All volumes of the app, deleted ones too. Raises NotFound when there is no such app."""
    return fly.call("GET", f"/apps/{app}/volumes", doing=f"list the volumes of app {app}", shape=list[Volume])


def named(fly: Fly, app: str, name: str, region: str) -> list[Volume]:
    """The volumes with that name and region, deleted ones too; names are not unique."""
    try:
        volumes = list_all(fly, app)
    except NotFound:
        return []
    return [volume for volume in volumes if volume.name == name and volume.region == region]


def living(fly: Fly, app: str, name: str, region: str) -> list[Volume]:
    """Those of them that are not deleted."""
    return [volume for volume in named(fly, app, name, region) if not volume.is_gone]


def delete(fly: Fly, app: str, id: str) -> bool:
    """Delete the volume; False while a machine has it. Succeeds when it is gone."""
    try:
        fly.call("DELETE", path(app, id), doing=f"delete volume {id} of app {app}", accept=(404,), safe=True)
    except FlyError as error:
        if error.status == 412:
            return False
        raise
    return True


def check_host(app: str, volume: Volume) -> None:
    """Raise when Fly cannot reach the volume's host."""
    if volume.host_status != "ok":
        raise BAD_HOST(id=volume.id, app=app, status=volume.host_status)


def snapshots_of(fly: Fly, app: str, volume_id: str) -> list[Snapshot]:
    """The snapshots of a volume that Fly still has; a deleted volume can have some."""
    doing = f"list the snapshots of volume {volume_id} of app {app}"
    try:
        return fly.call("GET", f"{path(app, volume_id)}/snapshots", doing=doing, shape=list[Snapshot])
    except NotFound:
        return []


def take_snapshot(fly: Fly, app: str, volume_id: str) -> Snapshot:
    """Take a snapshot of the volume and wait until it is `created`.

    Fly's response has no id, so the snapshot is the one that was not there before. The call is repeated after a lost response: at
    worst there are two, and snapshots expire.
    """
    before = {snapshot.id for snapshot in snapshots_of(fly, app, volume_id)}
    doing = f"take a snapshot of volume {volume_id} of app {app}"
    fly.call("POST", f"{path(app, volume_id)}/snapshots", doing=doing, safe=True)
    seen = "none yet"

    def created() -> Snapshot | None:
        nonlocal seen
        new = [snapshot for snapshot in snapshots_of(fly, app, volume_id) if snapshot.id not in before]
        if any(snapshot.status == "failed" for snapshot in new):
            raise SNAPSHOT_FAILED(volume_id=volume_id, app=app)
        seen = ", ".join(f"{snapshot.id} {snapshot.status}" for snapshot in new) or seen
        return next((snapshot for snapshot in new if snapshot.status == "created"), None)

    return waiting.poll(
        created,
        seconds=SNAPSHOT_SECONDS,
        waiting_for=f"a snapshot of volume {volume_id} of app {app}",
        last_seen=lambda: seen,
        action="taking snapshot",
    )
