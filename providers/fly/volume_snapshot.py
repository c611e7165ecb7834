"""A snapshot of a volume, taken on demand. Fly has no call to delete one: it expires by itself, and with the app."""

from dataclasses import dataclass
from typing import Annotated, Any

import pulumi

from providers import engine
from providers.fly import volumes
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.resource import Resource


@dataclass(frozen=True, kw_only=True)
class VolumeSnapshotArgs:
    app: Annotated[str, REPLACES]
    """Changing it takes another snapshot."""
    volume_id: Annotated[str, REPLACES]
    """Changing it takes another snapshot."""
    reason: Annotated[str, REPLACES] = ""
    """What it is for ("before the launch of 1.0.0"). Changing it takes another snapshot."""


@dataclass(frozen=True, kw_only=True)
class VolumeSnapshotState(VolumeSnapshotArgs):
    status: str = ""
    created_at: str = ""
    size: int = 0
    """Bytes."""
    retention_days: int = 0


class VolumeSnapshotProvider(FlyProvider[VolumeSnapshotArgs, VolumeSnapshotState]):
    Args = VolumeSnapshotArgs
    State = VolumeSnapshotState

    def ensure(self, args: VolumeSnapshotArgs) -> tuple[str, VolumeSnapshotState]:
        snapshot = volumes.take_snapshot(self.fly, args.app, args.volume_id, progress=engine.progress())
        return snapshot["id"], _state(args, snapshot)

    def observe(self, id: str, state: VolumeSnapshotState) -> VolumeSnapshotState | None:
        """A snapshot that has expired stays in the state as `expired`: it was taken, and none is to be taken instead."""
        found = [one for one in volumes.snapshots_of(self.fly, state.app, state.volume_id) if one["id"] == id]
        return _state(state, found[0] if found else {"status": "expired", "created_at": state.created_at})

    def remove(self, id: str, state: VolumeSnapshotState) -> None:
        engine.note(
            f"the snapshot {id} of the volume {state.volume_id} stays at Fly until it expires: it cannot be deleted"
        )


def _state(args: VolumeSnapshotArgs, snapshot: dict[str, Any]) -> VolumeSnapshotState:
    return VolumeSnapshotState(
        app=args.app,
        volume_id=args.volume_id,
        reason=args.reason,
        status=snapshot["status"],
        created_at=str(snapshot.get("created_at") or ""),
        size=int(snapshot.get("size") or 0),
        retention_days=int(snapshot.get("retention_days") or 0),
    )


class VolumeSnapshot(Resource[Any], module="fly", name="VolumeSnapshot"):
    """A snapshot of a Fly volume; its id is `vs_…`. Changing any argument takes another one; destroying keeps it."""

    provider = VolumeSnapshotProvider

    status: pulumi.Output[str]
    created_at: pulumi.Output[str]
    size: pulumi.Output[int]

    def __init__(
        self,
        resource_name: str,
        *,
        app: pulumi.Input[str],
        volume_id: pulumi.Input[str],
        reason: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, {"app": app, "volume_id": volume_id, "reason": reason}, opts)
