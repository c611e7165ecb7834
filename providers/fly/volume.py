"""A volume: a slice of one physical host's disk, and the only place that holds the app's data.

It grows in place and never shrinks; region, name and encryption cannot change. A change that would need another volume is refused
in the preview, with the way to do it on purpose. Fly can move a volume to another host, which gives it a new id under the same
name; `observe` follows it (https://fly.io/docs/volumes/overview/).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from msgspec.structs import replace
from pulumi import Output

from providers import engine, waiting
from providers.adoption import Adoptable
from providers.creation import create_idempotent, keep_first
from providers.errors import ErrorText, Problem, ProblemText
from providers.fly.api import client, machine_states, machines, volumes
from providers.fly.lost import EMPTY, VARIABLE, anything_is_lost, is_given_up, is_lost, lost_names
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES, is_known
from providers.record import Input, field
from providers.resource import Resource

NAME = r"[a-z0-9_]{1,30}"
READY_SECONDS = 300.0
USABLE = frozenset({"created", "hydrating"})

ON_PURPOSE = "create a second Volume from_snapshot, move the machine to it, and only then remove this one"
BAD_NAME = ProblemText("name", "name '{name}' must be 1 to 30 lower-case letters, digits and underscores")
BAD_SIZE = ProblemText("size_gb", "size_gb must be 1 to 500, not {size_gb}")
BAD_RETENTION = ProblemText("snapshot_retention", "snapshot_retention must be 1 to 60 days, not {days}")
SHRINKS = ProblemText(
    "size_gb",
    "size_gb cannot change from {before} to {after}: a Fly volume never shrinks",
    remedy="set it to {before} again, or " + ON_PURPOSE,
)
CANNOT_CHANGE = ProblemText(
    "name",
    "{field} cannot change from {before} to {after}: that would be another, empty volume",
    remedy="set {field} to {before} again; to move the data on purpose, " + ON_PURPOSE,
)
CANNOT_MOVE = ProblemText(
    "region",
    "region cannot change from {before} to {after}: that would be another, empty volume",
    remedy=f"set region to {{before}} again; if that region is lost, run `{VARIABLE}={{before}} pulumi up --refresh`",
)
OTHER_ENCRYPTION = ErrorText(
    "volume {id} of app {app} exists already and its `encrypted` is {found}",
    remedy="set encrypted to {found}, or give this volume another name",
)
GONE = ErrorText(
    "volume {id} of app {app} does not exist, or was moved to another host",
    remedy="run `pulumi refresh` and read its output before you run `pulumi up`",
)
AWAY = "volume {id} of app {app} is on a host that Fly reports as {status}: see https://status.fly.io"
NOT_DELETED = ErrorText(
    "volume {id} of app {app} is on a host that Fly reports as {status}: it was not deleted",
    remedy="run the same command again when the host is back; to give up its data, run `fly volumes destroy {id} -a {app}`, "
    f"then `{VARIABLE}={{id}} pulumi refresh`",
)
LOST = ErrorText(
    "volume {id} of app {app} is gone, and `pulumi up` would create an empty one in its place",
    remedy="decide what a new one begins with: the replica (if the secrets have BUCKET_NAME); a snapshot, from `fly volumes "
    "snapshots list {id} -a {app}` (set the config key database.fromSnapshot to it); or nothing. Then run "
    f'`{VARIABLE}="{{declared}}" pulumi up --refresh`, for nothing `{VARIABLE}="{{declared}} {EMPTY}" pulumi up --refresh`',
)
WITHOUT_DATA = ErrorText(
    "volume {name} of app {app} would be empty in place of {lost}: no snapshot is configured, and the app has no replica",
    remedy="set the config key database.fromSnapshot{newest}, and run the same command again; to give the data up, run "
    f'`{VARIABLE}="{{declared}} {EMPTY}" pulumi up`',
)
SEVERAL = ErrorText(
    "app {app} has {count} volumes {name} in {region}: {ids}",
    remedy="delete or rename all but the one with the data (`fly volumes list`, `fly volumes destroy`)",
)


class VolumeArgs(Adoptable):
    app: Annotated[Input[str], REPLACES]
    """Changing it creates a new, empty volume and deletes this one."""
    name: Input[str]
    """Lower-case letters, digits and underscores. Cannot be changed."""
    region: Input[str]
    """Cannot be changed."""
    size_gb: Input[int] = field(default=1)
    """The least size in GB, 1 to 500. Grows in place; never shrinks. A volume that Fly has extended keeps its size."""
    snapshot_retention: Input[int] = field(default=5)
    """Days, 1 to 60, that a new snapshot is kept. Changed in place."""
    scheduled_snapshots: Input[bool] = field(default=True)
    """Whether Fly takes one a day. Changed in place."""
    encrypted: Input[bool] = field(default=True)
    """Cannot be changed."""
    guest: Input[dict[str, Any] | None] = field(default=None)
    """The machine's guest: the volume is placed on a host with capacity for it. Create-only."""
    image: Input[str | None] = field(default=None)
    """The machine's image, a further hint for the placement. Create-only."""
    from_snapshot: Input[str | None] = field(default=None)
    """A snapshot `vs_…` to restore. Create-only."""
    is_replicated: Input[bool] = field(default=False)
    """Whether the app restores its data by itself if the volume is empty. Matters only in place of a lost volume."""
    last_snapshot: Input[bool] = field(default=False)
    """Whether to take a snapshot before the volume is deleted, and show its id. Changed in place."""
    healthy_seconds: Input[float] = field(default=300.0)
    """How long the machine may take to be healthy again when a new size restarts it. Changing it alone changes nothing."""


class VolumeState(VolumeArgs):
    zone: str = ""
    state: str = ""
    allocated_gb: int = 0
    """The actual size; more than `size_gb` after Fly has extended it."""
    host_status: str = ""
    replaces_lost: bool = False
    """Whether it began empty in place of a volume with data: its machine has to restore the replica. It is in the state because a
    run can end before it creates the machine, and the next run may be without FLY_LOST."""


NOT_COMPARED = frozenset({"guest", "image", "from_snapshot", "is_replicated", "healthy_seconds"})
"""The create-only arguments, and how long to wait."""


class VolumeProvider(FlyProvider[VolumeArgs, VolumeState]):
    Args = VolumeArgs
    State = VolumeState

    def validate(self, args: VolumeArgs, old: VolumeArgs | None) -> Iterable[Problem]:
        if not re.fullmatch(NAME, args.name):
            yield BAD_NAME(name=args.name)
        if not 1 <= args.size_gb <= 500:
            yield BAD_SIZE(size_gb=args.size_gb)
        if not 1 <= args.snapshot_retention <= 60:
            yield BAD_RETENTION(days=args.snapshot_retention)
        if old is None or old.app != args.app:
            return
        if old.size_gb and args.size_gb < old.size_gb:
            yield SHRINKS(before=old.size_gb, after=args.size_gb)
        if old.region not in (None, args.region):
            yield CANNOT_MOVE(before=old.region, after=args.region)
        for name in ("name", "encrypted"):
            before, after = getattr(old, name), getattr(args, name)
            if before not in (None, after):
                yield replace(CANNOT_CHANGE(field=name, before=before, after=after), key=name)

    def changed_fields(self, state: VolumeState, args: VolumeArgs) -> Iterable[str]:
        changed = [name for name in super().changed_fields(state, args) if name not in NOT_COMPARED]
        if "size_gb" in changed and is_known(args.size_gb):
            engine.note(
                f"volume {args.name} grows from {state.size_gb} to {args.size_gb} GB and cannot shrink again; Fly may restart its "
                "machine, which takes some seconds"
            )
        return changed

    def ensure(self, args: VolumeArgs) -> tuple[str, VolumeState]:
        named = self._named(args)
        listed = _only(named, args)
        volume = listed and volumes.find(self.fly, args.app, listed.id)  # The list can show one that was just deleted.
        lost = self._lost_data(args, [other for other in named if volume is None or other.id != volume.id])
        if volume is None:
            if lost and not args.is_replicated:
                declared = self._declared(args.app, (lost_names() or lost[0]).split())
                raise WITHOUT_DATA(name=args.name, app=args.app, lost=lost[0], newest=lost[1], declared=declared)
            created = create_idempotent(
                lambda: self._create(args),
                lambda: _only(self._named(args), args),
                what=f"volume {args.name} of app {args.app}",
            )
            volume = keep_first(
                created,
                lambda: _living(self._named(args)),
                key=lambda each: each.id,
                delete=lambda each: volumes.delete(self.fly, args.app, each.id),
            )
        if volume.encrypted not in (None, args.encrypted):
            raise OTHER_ENCRYPTION(id=volume.id, app=args.app, found=str(volume.encrypted).lower())
        ready = volume if volume.state in USABLE else self._wait_until_ready(args.app, volume.id)
        return ready.id, replace(self._adjust(ready, args), replaces_lost=lost is not None)

    def observe(self, id: str, state: VolumeState) -> VolumeState | tuple[str, VolumeState] | None:
        volume = volumes.find(self.fly, state.app, id)
        if volume and is_lost(id, volume.region):
            engine.note(f"volume {id} in {volume.region} is declared lost: it stays at Fly, and leaves this stack")
            return None
        if volume:
            if volume.host_status != "ok":
                engine.note(AWAY.format(id=id, app=state.app, status=volume.host_status))
            return _observed(state, volume)
        successors = [
            successor
            for successor in volumes.living(self.fly, state.app, state.name, state.region)
            if successor.id != id and not is_lost(successor.id, successor.region)
        ]
        if not successors and not is_lost(id, state.region):
            raise LOST(id=id, app=state.app, declared=self._declared(state.app, [id]))
        moved = [successor for successor in successors if successor.attached_machine_id]
        return (moved[0].id, _observed(state, moved[0])) if len(moved) == 1 else None

    def sync(self, id: str, state: VolumeState, args: VolumeArgs) -> VolumeState:
        volume = volumes.find(self.fly, args.app, id)
        if volume is None:
            raise GONE(id=id, app=args.app)
        adjusted = self._adjust(volume, args, grown_from=state.size_gb)
        return replace(adjusted, replaces_lost=state.replaces_lost)

    def remove(self, id: str, state: VolumeState) -> None:
        volume = volumes.find(self.fly, state.app, id)
        if volume is None:
            return
        if volume.host_status != "ok":
            raise NOT_DELETED(id=id, app=state.app, status=volume.host_status)
        if state.last_snapshot:
            snapshot = volumes.take_snapshot(self.fly, state.app, id)
            engine.note(
                f"the last snapshot of volume {id} is {snapshot.id}, kept for {state.snapshot_retention} days and no longer "
                f"than the app: restore it with `fly volumes create {state.name} --snapshot-id {snapshot.id}`"
            )
        waiting.poll(
            lambda: volumes.delete(self.fly, state.app, id) or None,
            seconds=volumes.DETACH_SECONDS,
            waiting_for=f"volume {id} of app {state.app} to be detached from its machine",
            last_seen=lambda: f"{id} is still attached",
            action="detaching volume",
            first_pause=0.5,
        )

    def _named(self, args: VolumeArgs) -> "list[volumes.Volume]":
        return volumes.named(self.fly, args.app, args.name, args.region)

    def _lost_data(self, args: VolumeArgs, others: "list[volumes.Volume]") -> tuple[str, str] | None:
        """What was lost, and the newest snapshot of it as a hint, if a volume that begins empty takes its place: a deleted volume that
        has snapshots, or what is declared lost. None if the data is given up. `others` have the same name and region."""
        if args.from_snapshot or is_given_up():
            return None
        left = [
            (snapshot, volume) for volume in others for snapshot in volumes.snapshots_of(self.fly, args.app, volume.id)
        ]
        if left:
            snapshot, volume = max(left, key=lambda pair: pair[0].created_at)
            return volume.id, f", for example to {snapshot.id} of {snapshot.created_at}"
        return (lost_names(), "") if anything_is_lost() else None

    def _declared(self, app: str, lost: list[str]) -> str:
        """What a person has to declare lost: `lost`, and the machines that still have such a volume, or are on a host that is away, when
        Fly may not know what they mount. The next run would adopt or replace them, which Fly refuses."""
        left = [
            machine.id
            for machine in machines.living(self.fly, app)
            if machine.view.volume_id in lost or (machine.host_status != "ok" and not machine.view.volume_id)
        ]
        return " ".join(dict.fromkeys([*lost, *left]))

    def _create(self, args: VolumeArgs) -> "volumes.Volume":
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
        return client.retry_until_visible(
            lambda: self.fly.call(
                "POST",
                f"/apps/{args.app}/volumes",
                doing=f"create volume {args.name} of app {args.app}",
                shape=volumes.Volume,
                body={key: value for key, value in body.items() if value is not None},
            )
        )

    def _wait_until_ready(self, app: str, id: str) -> "volumes.Volume":
        seen = ""

        def ready() -> "volumes.Volume | None":
            nonlocal seen
            try:
                volume = volumes.look_up(self.fly, app, id)
            except client.NotFound:
                return None
            seen = volume.state
            return volume if seen in USABLE else None

        return waiting.poll(
            ready,
            seconds=READY_SECONDS,
            waiting_for=f"volume {id} of app {app} to be usable",
            last_seen=lambda: seen,
            action="creating volume",
        )

    def _adjust(self, volume: "volumes.Volume", args: VolumeArgs, grown_from: int | None = None) -> VolumeState:
        """Change retention and size to match `args`. `grown_from` is the size of the last `up`: if a run died after it had grown
        the volume, nobody knows whether the machine was restarted, so it is restarted again."""
        path, doing = volumes.path(args.app, volume.id), f"change volume {volume.id} of app {args.app}"
        wanted = {"snapshot_retention": args.snapshot_retention, "auto_backup_enabled": args.scheduled_snapshots}
        volumes.check_host(args.app, volume)
        if any(getattr(volume, key) != value for key, value in wanted.items()):
            volume = self.fly.call("PUT", path, doing=doing, shape=volumes.Volume, body=wanted, safe=True)
        machine_id = volume.attached_machine_id
        needs_restart = grown_from is not None and grown_from < args.size_gb
        if volume.size_gb < args.size_gb:
            body = {"size_gb": args.size_gb}
            response = self.fly.call("PUT", f"{path}/extend", doing=doing, shape=volumes.Extended, body=body, safe=True)
            volume, needs_restart = response.volume, response.needs_restart
            machine_id = volume.attached_machine_id or machine_id
        if needs_restart and machine_id:
            machine_states.restart(self.fly, args.app, machine_id, seconds=args.healthy_seconds)
        return _state(args, volume)


def _living(named: "list[volumes.Volume]") -> "list[volumes.Volume]":
    return [volume for volume in named if not volume.is_gone and not is_lost(volume.id, volume.region)]


def _only(named: "list[volumes.Volume]", args: VolumeArgs) -> "volumes.Volume | None":
    """The volume that is not deleted. Raises when there are several: it never guesses."""
    found = _living(named)
    if len(found) > 1:
        ids = ", ".join(volume.id for volume in found)
        raise SEVERAL(app=args.app, count=len(found), name=args.name, region=args.region, ids=ids)
    return found[0] if found else None


def _state(args: VolumeArgs, volume: "volumes.Volume") -> VolumeState:
    """`size_gb` is a lower bound: a volume that Fly has extended shows the size that was asked for."""

    def found(value: Any, default: Any) -> Any:
        return default if value is None else value

    return VolumeState(
        app=args.app,
        name=volume.name,
        region=volume.region,
        size_gb=min(args.size_gb or volume.size_gb, volume.size_gb),
        snapshot_retention=found(volume.snapshot_retention, args.snapshot_retention),
        scheduled_snapshots=found(volume.auto_backup_enabled, args.scheduled_snapshots),
        encrypted=found(volume.encrypted, args.encrypted),
        guest=args.guest,
        image=args.image,
        from_snapshot=args.from_snapshot,
        last_snapshot=args.last_snapshot,
        healthy_seconds=args.healthy_seconds,
        zone=volume.zone,
        state=volume.state,
        allocated_gb=volume.size_gb,
        host_status=volume.host_status,
    )


def _observed(state: VolumeState, volume: "volumes.Volume") -> VolumeState:
    return replace(_state(state, volume), replaces_lost=state.replaces_lost)


class Volume(Resource[VolumeArgs], module="fly", name="Volume"):
    """A Fly volume; its id is `vol_…`.

    size_gb: grows in place, shrinking is refused in the preview. snapshot_retention, scheduled_snapshots, last_snapshot: changed
    in place. name, region, encrypted: a change is refused in the preview. app: replaces. guest, image, from_snapshot: create-only.
    """

    provider = VolumeProvider

    zone: Output[str]
    state: Output[str]
    allocated_gb: Output[int]
    host_status: Output[str]
    replaces_lost: Output[bool]
