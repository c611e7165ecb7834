"""Volumes and snapshots as Fly answers them: which are still there, and taking a snapshot that is finished.

Lists include soft-deleted volumes (fly.md, section 7), and taking a snapshot returns no id.
"""

from collections.abc import Callable
from typing import Any

from providers import waiting
from providers.errors import ProviderError
from providers.fly.api.client import Fly, NotFound

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


def is_gone(volume: dict[str, Any]) -> bool:
    """Whether the volume is deleted, although Fly still lists it (for a day)."""
    return volume.get("state") in GONE


def find(fly: Fly, app: str, id: str) -> dict[str, Any] | None:
    """The volume, or None when it is gone."""
    try:
        volume: dict[str, Any] = fly.call(
            "GET", f"/apps/{app}/volumes/{id}", doing=f"look up the volume {id} of {app!r}"
        )
    except NotFound:
        return None
    return None if is_gone(volume) else volume


def named(fly: Fly, app: str, name: str, region: str) -> list[dict[str, Any]]:
    """All volumes of that name and region that Fly lists, deleted ones too; names are not unique."""
    try:
        volumes = fly.call("GET", f"/apps/{app}/volumes", doing=f"list the volumes of the app {app!r}")
    except NotFound:
        return []
    return [volume for volume in volumes or () if volume["name"] == name and volume["region"] == region]


def living(fly: Fly, app: str, name: str, region: str) -> list[dict[str, Any]]:
    """Those of them that are not deleted."""
    return [volume for volume in named(fly, app, name, region) if not is_gone(volume)]


def snapshots_of(fly: Fly, app: str, volume_id: str) -> list[dict[str, Any]]:
    """The snapshots of a volume, also of a deleted one, as long as Fly keeps them."""
    try:
        found = fly.call(
            "GET", f"/apps/{app}/volumes/{volume_id}/snapshots", doing=f"list the snapshots of the volume {volume_id}"
        )
    except NotFound:
        return []
    return list(found or ())


def take_snapshot(
    fly: Fly,
    app: str,
    volume_id: str,
    *,
    progress: Callable[[str], None] = lambda text: None,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Take a snapshot of the volume and wait until it is `created`; the snapshot.

    Fly names no id in its answer, so the snapshot is the one that was not there before. The call is repeated after a lost
    answer: at worst there are two, and snapshots expire by themselves.
    """
    before = {one["id"] for one in snapshots_of(fly, app, volume_id)}
    fly.call(
        "POST",
        f"/apps/{app}/volumes/{volume_id}/snapshots",
        doing=f"take a snapshot of the volume {volume_id}",
        safe=True,
    )
    seen = "none yet"

    def created() -> dict[str, Any] | None:
        nonlocal seen
        meanwhile()
        new = [one for one in snapshots_of(fly, app, volume_id) if one["id"] not in before]
        if any(one["status"] == "failed" for one in new):
            raise ProviderError(f"Fly failed to take a snapshot of the volume {volume_id} of {app!r}: run up again")
        seen = ", ".join(f"{one['id']} {one['status']}" for one in new) or seen
        progress(f"snapshot of {volume_id}: {seen}")
        return next((one for one in new if one["status"] == "created"), None)

    return waiting.poll(
        created,
        seconds=SNAPSHOT_SECONDS,
        waiting_for=f"snapshot of the volume {volume_id} of {app!r}",
        last_seen=lambda: seen,
    )
