"""A volume: a slice of one physical host's disk, and the only place where the app's data is.

It grows in place and never shrinks; region, name and encryption cannot change. A change that would need another volume is
refused at preview, with the way to do it on purpose. Fly may move a volume to another host, which gives it another id
under the same name; `observe` follows (fly.md, section 7).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api import volumes
from providers.fly.api.client import FlyError, NotFound, just_made
from providers.fly.api.machines import restart
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

NAME = re.compile(r"[a-z0-9_]{1,30}")
READY_SECONDS = 300.0
USABLE = frozenset({"created", "hydrating"})
DETACH_SECONDS = 120.0
"""A destroyed machine's volume is bound for up to about a minute longer."""


@record
class VolumeArgs:
    app: Annotated[Input[str], REPLACES]
    """Changing it makes a new, empty volume and deletes this one."""
    name: Input[str]
    """Lower-case letters, digits and underscores. Cannot be changed."""
    region: Input[str]
    """Cannot be changed."""
    size_gb: Input[int] = field(default=1)
    """At least so many GB, 1 to 500. Grows in place; never shrinks. A volume that grew by itself is left as large."""
    snapshot_retention: Input[int] = field(default=5)
    """Days, 1 to 60, that a new snapshot is kept. Changed in place."""
    scheduled_snapshots: Input[bool] = field(default=True)
    """Whether Fly takes one a day. Changed in place."""
    encrypted: Input[bool] = field(default=True)
    """Cannot be changed."""
    guest: Input[dict[str, Any] | None] = field(default=None)
    """The machine's guest: the volume is placed on a host with room for it. Used when the volume is made, ignored later."""
    image: Input[str | None] = field(default=None)
    """The machine's image, a further hint for the placement. Used when the volume is made, ignored later."""
    from_snapshot: Input[str | None] = field(default=None)
    """A snapshot `vs_…` to restore. Used when the volume is made, ignored later."""
    last_snapshot: Input[bool] = field(default=False)
    """Whether a snapshot is taken before the volume is deleted, and its id told. Changed in place."""


@record
class VolumeState(VolumeArgs):
    zone: str = ""
    state: str = ""
    allocated_gb: int = 0
    """What the volume really has; more than `size_gb` after Fly extended it."""


CREATE_ONLY = frozenset({"guest", "image", "from_snapshot"})


class VolumeProvider(FlyProvider[VolumeArgs, VolumeState]):
    Args = VolumeArgs
    State = VolumeState

    def validate(self, args: VolumeArgs, old: VolumeArgs | None) -> Iterable[str]:
        if not NAME.fullmatch(args.name):
            yield f"name {args.name!r} must be 1 to 30 lower-case letters, digits and underscores"
        if not 1 <= args.size_gb <= 500:
            yield f"size_gb must be 1 to 500, not {args.size_gb}"
        if not 1 <= args.snapshot_retention <= 60:
            yield f"snapshot_retention must be 1 to 60 days, not {args.snapshot_retention}"
        if old is None or old.app != args.app:
            return
        on_purpose = "make a second Volume from_snapshot, move the machine to it, and only then remove this one"
        if old.size_gb and args.size_gb < old.size_gb:
            yield f"size_gb cannot go from {old.size_gb} to {args.size_gb}: a Fly volume never shrinks; {on_purpose}"
        for name in ("name", "region", "encrypted"):
            before, after = getattr(old, name), getattr(args, name)
            if before not in (None, after):
                yield f"{name} cannot go from {before} to {after}: that would be another, empty volume; {on_purpose}"

    def changed_fields(self, state: VolumeState, args: VolumeArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name not in CREATE_ONLY]

    def ensure(self, args: VolumeArgs) -> tuple[str, VolumeState]:
        named = volumes.named(self.fly, args.app, args.name, args.region)
        volume = _only(named, args)
        if volume is None:
            self._tell_of_the_deleted(named, args)
            volume = make_once(
                lambda: self._make(args),
                lambda: _only(volumes.named(self.fly, args.app, args.name, args.region), args),
                what=f"the volume {args.name!r} of {args.app!r}",
            )
        if volume.get("encrypted", True) != args.encrypted:
            raise ProviderError(
                f"the volume {volume['id']} of {args.app!r} exists already and is {'' if volume['encrypted'] else 'not '}"
                f"encrypted: set encrypted to what it is, or give this volume another name"
            )
        ready = volume if volume["state"] in USABLE else self._wait_until_ready(args.app, volume["id"])
        return ready["id"], self._adjust(ready, args)

    def observe(self, id: str, state: VolumeState) -> VolumeState | tuple[str, VolumeState] | None:
        volume = volumes.find(self.fly, state.app, id)
        if volume:
            return _state(state, volume)
        heirs = volumes.living(self.fly, state.app, state.name, state.region)
        moved = [heir for heir in heirs if heir.get("attached_machine_id")]
        return (moved[0]["id"], _state(state, moved[0])) if len(moved) == 1 else None

    def sync(self, id: str, state: VolumeState, args: VolumeArgs) -> VolumeState:
        volume = volumes.find(self.fly, args.app, id)
        if volume is None:
            raise ProviderError(
                f"the volume {id} of {args.app!r} is gone, or was moved to another host: run `pulumi refresh` and read "
                "what it says before you run up again"
            )
        return self._adjust(volume, args, grown_from=state.size_gb)

    def remove(self, id: str, state: VolumeState) -> None:
        volume = volumes.find(self.fly, state.app, id)
        if volume is None:
            return
        if state.last_snapshot:
            snapshot = volumes.take_snapshot(self.fly, state.app, id, progress=engine.progress())
            engine.note(
                f"the last snapshot of the volume {id} is {snapshot['id']}, kept for {state.snapshot_retention} days and no "
                f"longer than the app: restore it with `fly volumes create {state.name} --snapshot-id {snapshot['id']}`"
            )
        waiting.poll(
            lambda: self._delete(state.app, id),
            seconds=DETACH_SECONDS,
            waiting_for=f"delete the volume {id} of {state.app!r}: Fly keeps it bound to its machine",
            first_pause=0.5,
        )

    def _delete(self, app: str, id: str) -> bool | None:
        try:
            self.fly.call(
                "DELETE",
                f"/apps/{app}/volumes/{id}",
                doing=f"delete the volume {id} of {app!r}",
                accept=(404,),
                safe=True,
            )
        except FlyError as error:
            if error.status == 412:
                return None
            raise
        return True

    def _tell_of_the_deleted(self, named: list[dict[str, Any]], args: VolumeArgs) -> None:
        """Say where the rows of a deleted volume still are, when an empty one is made in its place."""
        left = [one for volume in named for one in volumes.snapshots_of(self.fly, args.app, volume["id"])]
        if left and not args.from_snapshot:
            newest = max(left, key=lambda one: str(one.get("created_at")))
            engine.note(
                f"the volume {args.name!r} of {args.app!r} is new and empty; the one that was deleted left the snapshot "
                f"{newest['id']} of {newest.get('created_at')}: to go on from it, delete the new one and make it from_snapshot"
            )

    def _make(self, args: VolumeArgs) -> dict[str, Any]:
        body = {
            "name": args.name,
            "region": args.region,
            "size_gb": args.size_gb,
            "encrypted": args.encrypted,
            "snapshot_retention": args.snapshot_retention,
            "auto_backup_enabled": args.scheduled_snapshots,
            "compute": args.guest,
            "compute_image": args.image,
            "snapshot_id": args.from_snapshot,
        }
        volume: dict[str, Any] = just_made(
            lambda: self.fly.call(
                "POST",
                f"/apps/{args.app}/volumes",
                doing=f"create the volume {args.name!r} of the app {args.app!r}",
                body={key: value for key, value in body.items() if value is not None},
            )
        )
        return volume

    def _wait_until_ready(self, app: str, id: str) -> dict[str, Any]:
        seen = ""

        def ready() -> dict[str, Any] | None:
            nonlocal seen
            try:
                volume: dict[str, Any] = self.fly.call(
                    "GET", f"/apps/{app}/volumes/{id}", doing=f"look up the volume {id} of {app!r}"
                )
            except NotFound:
                return None
            seen = volume["state"]
            return volume if seen in USABLE else None

        return waiting.poll(
            ready, seconds=READY_SECONDS, waiting_for=f"the volume {id} of {app!r} to be usable", last_seen=lambda: seen
        )

    def _adjust(self, volume: dict[str, Any], args: VolumeArgs, grown_from: int | None = None) -> VolumeState:
        """Bring retention and size to `args`. `grown_from` is the size of the last `up`: a run that died after growing the
        volume cannot say whether its machine still has to restart, so it is restarted again."""
        path, doing = f"/apps/{args.app}/volumes/{volume['id']}", f"change the volume {volume['id']} of {args.app!r}"
        wanted = {"snapshot_retention": args.snapshot_retention, "auto_backup_enabled": args.scheduled_snapshots}
        if any(volume.get(key) != value for key, value in wanted.items()):
            volume = self.fly.call("PUT", path, doing=doing, body=wanted, safe=True)
        needs_restart = grown_from is not None and grown_from < args.size_gb
        if volume["size_gb"] < args.size_gb:
            answer = self.fly.call("PUT", f"{path}/extend", doing=doing, body={"size_gb": args.size_gb}, safe=True)
            volume, needs_restart = answer["volume"], bool(answer.get("needs_restart"))
        if needs_restart and volume.get("attached_machine_id"):
            restart(self.fly, args.app, volume["attached_machine_id"])
        return _state(args, volume)


def _only(named: list[dict[str, Any]], args: VolumeArgs) -> dict[str, Any] | None:
    """The one that is not deleted; several are refused, never guessed at."""
    found = [volume for volume in named if not volumes.is_gone(volume)]
    if len(found) > 1:
        raise ProviderError(
            f"the app {args.app!r} has {len(found)} volumes {args.name!r} in {args.region}: "
            f"{', '.join(volume['id'] for volume in found)}; delete or rename all but the one with the data "
            "(`fly volumes list`, `fly volumes destroy`)"
        )
    return found[0] if found else None


def _state(args: VolumeArgs, volume: dict[str, Any]) -> VolumeState:
    """`size_gb` is a lower bound, so a volume that grew by itself shows as it was asked for."""
    return VolumeState(
        app=args.app,
        name=volume["name"],
        region=volume["region"],
        size_gb=min(args.size_gb or volume["size_gb"], volume["size_gb"]),
        snapshot_retention=volume.get("snapshot_retention", args.snapshot_retention),
        scheduled_snapshots=volume.get("auto_backup_enabled", args.scheduled_snapshots),
        encrypted=volume.get("encrypted", args.encrypted),
        guest=args.guest,
        image=args.image,
        from_snapshot=args.from_snapshot,
        last_snapshot=args.last_snapshot,
        zone=volume.get("zone") or "",
        state=volume["state"],
        allocated_gb=volume["size_gb"],
    )


class Volume(Resource[VolumeArgs], module="fly", name="Volume"):
    """A Fly volume; its id is `vol_…`.

    size_gb: grows in place, shrinking is refused at preview. snapshot_retention, scheduled_snapshots, last_snapshot: in
    place. name, region, encrypted: a change is refused at preview. app: replaces. guest, image, from_snapshot: create-only.
    """

    provider = VolumeProvider

    zone: Output[str]
    state: Output[str]
    allocated_gb: Output[int]
