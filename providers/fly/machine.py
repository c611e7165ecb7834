"""A machine of an app: its complete config, rolled back when a new version does not become healthy.

An update replaces the whole config, so all of it is declared: the config that fly.toml renders to, the image by digest, the
volume, the version of the secrets. `safe_update` has the steps of an update; after success and after failure, the state agrees
with Fly.
"""

from collections.abc import Iterable
from typing import Self

import msgspec
from msgspec.structs import replace
from pulumi import Output

from providers import engine, health, waiting
from providers.creation import LOOK_AGAIN_SECONDS, create_idempotent
from providers.errors import ErrorText, Incomplete, Problem, ProblemText, ProviderError
from providers.fly import silence
from providers.fly.api import client, leases, logs, machine_states, machines, releases, volumes
from providers.fly.api.config_view import Config, view
from providers.fly.api.guest import Guest, guest_problems
from providers.fly.lost import VARIABLE, anything_is_lost, is_lost
from providers.fly.machine_record import (
    MEASURED,
    MEASURED_ONCE,
    SIDE_BY_SIDE,
    UPDATE_OPTIONS,
    MachineArgs,
    MachineState,
    as_state,
    complete,
    other_name,
    unpacked,
)
from providers.fly.provider import FlyProvider
from providers.fly.safe_update import machine_config, side_by_side, update, verification
from providers.properties import REPLACES, is_known, marked
from providers.resource import Resource

NAME_TAKEN = "unique machine name violation"
"""A part of Fly's refusal to create a second machine of that name: the list did not show the first one yet."""
NEEDS_NO_VERSION = frozenset({"state", "open_release", "machine_id", "second_machine"})
"""Differences that are repaired without an update: a stopped machine is started, an open release record is ended, a second
machine is destroyed."""
UPDATES = 2
"""A failed update is followed by another one, its rollback."""
NOT_RUNNING = frozenset({"stopped", "suspended", "failed"})

NO_VOLUME = ProblemText("volume_id", "the config of {name} mounts a volume at {path}, but volume_id is not set")
NO_MOUNT = ProblemText(
    "volume_id",
    "volume {volume_id} of {name} is not mounted",
    remedy="add [mounts] to fly.toml, or leave volume_id out",
)
REPLACED = ProblemText(
    "name",
    "{field} of machine {name} cannot change from {before} to {after} in place: another machine would replace it, and the app "
    "would be down until that one is healthy",
    remedy="restore {field}; to replace the machine on purpose, set `replaceable` for this one change (config key replaceMachine), "
    "unprotect the machine with `pulumi state unprotect URN`, then run `pulumi up`; if its host or region is lost, run "
    f"`{VARIABLE}={{region}} pulumi up --refresh`",
)
NO_DIGEST = ProblemText("image", "image {image} has no digest", remedy="use the output `pinned` of an Image")
LOST_MACHINE = ErrorText(
    "machine {id} of app {app} in {region} is declared lost, and Fly cannot destroy it now: {reason}",
    remedy="give the new machine another name (config key machine), and destroy the lost one as soon as Fly can: it would serve "
    "requests again with old data",
)
GONE = ErrorText(
    "machine {id} of app {app} does not exist", remedy="run `pulumi refresh`, then `pulumi up` creates a new one"
)
FIRST_FAILED = ErrorText(
    "machine {name} of app {app} was created, and failed at the {step}: {failure}; {epilogue}. It was left as it is",
    remedy="fix the release, then run `pulumi up` again",
)
UNKNOWN_CONFIG = (
    "machine {id} of app {app} is on a host that Fly reports as {status}: its config cannot be read, and is shown as it was; "
    "see https://status.fly.io and `fly machine status {id} -a {app}`"
)
NOT_DESTROYED = ErrorText(
    "machine {id} of app {app} is on a host that Fly reports as {status}: neither it nor its volume was destroyed",
    remedy="run the same command again when the host is back; to give up machine and data, run `fly machine destroy {id} "
    "--force -a {app}`, then `pulumi refresh`",
)
NOT_OURS = ErrorText(
    "machine {id} of app {app} has the name {name}, which the update needs for a second machine, and was made by another client",
    remedy="destroy it, or use strategy rolling in fly.toml",
)
CHANGED_ELSEWHERE = ErrorText(
    "another client has changed machine {name} of app {app} since the last `pulumi up` ({fields}): it was left as it is",
    remedy="run `pulumi refresh`, read in a preview what `pulumi up` would change back, then run `pulumi up`",
)


class Observed(msgspec.Struct, frozen=True):
    """A machine as Fly returned it, its state in the form of the arguments, and the arguments in which it differs."""

    machine: "machines.Machine"
    state: MachineState
    changed: frozenset[str]
    """Without what needs no new version."""

    @classmethod
    def compare(cls, provider: "MachineProvider", machine: "machines.Machine", args: MachineArgs) -> Self:
        state = as_state(args, machine)
        return cls(machine, state, frozenset(provider.changed_fields(state, args)) - NEEDS_NO_VERSION)

    @property
    def needs_new_version(self) -> bool:
        """Whether something differs, or the version that runs has crashed: then only a new one can be verified."""
        return bool(self.changed or logs.crashes(self.machine))


class MachineProvider(FlyProvider[MachineArgs, MachineState]):
    Args = MachineArgs
    State = MachineState
    replaces_by_deleting_first = True  # A volume has one machine, and a name is unique.

    def validate(self, args: MachineArgs, old: MachineArgs | None) -> Iterable[Problem]:
        config = view(args.config)
        if config.mounts and not args.volume_id:
            yield NO_VOLUME(name=args.name, path=config.mounts[0].path)
        if args.volume_id and not config.mounts:
            yield NO_MOUNT(volume_id=args.volume_id, name=args.name)
        if "@sha256:" not in args.image:
            yield NO_DIGEST(image=args.image)
        yield from guest_problems(config.guest or Guest())
        if args.hostname:
            yield from health.health_problems(_health(args, args.hostname))
        if old and not args.replaceable:
            yield from _replacement_problems(args, old)

    def changed_fields(self, state: MachineState, args: MachineArgs) -> Iterable[str]:
        changed = set(super().changed_fields(state, args)) - UPDATE_OPTIONS
        if is_known(args.config):
            if "config" in changed and not machine_config.differences(args.config, state.config):
                changed.remove("config")
            if state.state in NOT_RUNNING and not machine_config.has_autostop(view(args.config)):
                changed.add("state")
        changed |= {name for name in ("open_release", "second_machine") if getattr(state, name)}
        if not state.machine_id:  # from a version of this program that did not have it
            changed.add("machine_id")
        return changed

    def ensure(self, args: MachineArgs) -> tuple[str, MachineState]:
        found = self._existing(args) if _is_side_by_side(args) else self._named(args)
        if found is None:
            self._destroy_lost(args)
            try:
                return self._create_verified(args)
            except client.FlyError as error:
                if NAME_TAKEN not in error.body:
                    raise
            found = self._listed(args)
        seen = Observed.compare(self, found, args)
        state = self._converge(found.id, seen, seen.state, args)
        return state.machine_id, state

    def _create_verified(self, args: MachineArgs) -> tuple[str, MachineState]:
        fly = self.fly
        with releases.recorded(fly, args.app, args.image, _draft(args)) as recording:
            config = complete(args, running={})
            config["metadata"] |= recording.release.metadata
            signed = machine_config.signed(config)
            created = self._create_once(args, signed)
            # The addresses may not exist yet, so the first version is verified from outside by later resources.
            first = replace(_version(args, config), health=None)
            try:
                evidence = verification.verify(self._ref(args, created.id), created.instance_id, first)
            except verification.NotHealthy as error:
                now = machines.find(fly, args.app, created.id) or created
                epilogue = logs.epilogue(fly, args.app, now, created.id)
                failed = FIRST_FAILED(name=args.name, app=args.app, step=error.step, failure=error, epilogue=epilogue)
                raise Incomplete(created.id, as_state(args, now), str(failed)) from None
        return created.id, _verified(args, evidence, open_release=recording.open_id)

    def observe(self, id: str, state: MachineState) -> MachineState | None:
        machine = machines.find(self.fly, state.app, state.machine_id or id)
        second = self._second(state, state.machine_id or id) if _is_side_by_side(state) else None
        if machine is None or is_lost(machine.id, machine.region):
            machine, second = second, None
        if machine is None:
            return None
        if machine.config is None:
            engine.note(UNKNOWN_CONFIG.format(id=id, app=state.app, status=machine.host_status))
            known = {name: getattr(machine, name) for name in ("state", "host_status", "instance_id")}
            return replace(state, **known)
        seen = replace(as_state(state, machine), second_machine=second.id if second else "")
        same = machine.instance_id == state.instance_id
        return replace(seen, **{name: getattr(state, name) for name in MEASURED}) if same else seen

    def sync(self, id: str, state: MachineState, args: MachineArgs) -> MachineState:
        found = self._settled(state, state.machine_id or id)
        if found is None and not state.verified_at:  # It may be new, from a run that failed a moment ago.
            found = waiting.poll(
                lambda: machines.find(self.fly, args.app, state.machine_id or id),
                seconds=client.VISIBLE_SECONDS,
                waiting_for=f"machine {id} of app {args.app} to appear",
                remedy="if it is gone, run `pulumi refresh`",
            )
        if found is None:
            raise GONE(id=id, app=args.app)
        return self._converge(id, Observed.compare(self, found, args), state, args)

    def remove(self, id: str, state: MachineState) -> None:
        id = state.machine_id or id
        machine = machines.find(self.fly, state.app, id)
        if machine and machine.host_status != "ok" and not is_lost(id, machine.region):
            raise NOT_DESTROYED(id=id, app=state.app, status=machine.host_status)
        if _is_side_by_side(state) and (second := self._second(state, id)):
            machine_states.destroy(self.fly, state.app, second.id)
        machine_states.destroy(self.fly, state.app, id)

    def _create_once(self, args: MachineArgs, config: Config, *, is_routed: bool = True) -> "machines.Machine":
        return create_idempotent(
            lambda: client.retry_until_pullable(lambda: self._create(args, config, is_routed=is_routed)),
            lambda: self._named(args),
            what=f"machine {args.name} of app {args.app}",
        )

    def _create(self, args: MachineArgs, config: Config, *, is_routed: bool) -> "machines.Machine":
        """Waits for the volume of a machine that was destroyed a moment ago: Fly detaches it up to a minute later."""

        def created() -> "machines.Machine | None":
            try:
                return machines.create(
                    self.fly,
                    args.app,
                    args.name,
                    region=args.region,
                    config=config,
                    min_secrets_version=args.secrets_version,
                    is_routed=is_routed,
                )
            except client.FlyError as error:
                if error.status != 412 or not args.volume_id or client.is_without_capacity(error):
                    raise
                volume = volumes.find(self.fly, args.app, args.volume_id)
                holder = volume and volume.attached_machine_id
                if holder and machines.find(self.fly, args.app, holder):
                    raise
                return None

        return waiting.poll(
            created,
            seconds=volumes.DETACH_SECONDS,
            waiting_for=f"volume {args.volume_id} of app {args.app} to be detached from its last machine",
            last_seen=lambda: f"{args.volume_id} is still attached",
            action="detaching volume",
            first_pause=1.0,
        )

    def _destroy_lost(self, args: MachineArgs) -> None:
        """Destroy a machine of our name that is declared lost: it has the name, and would serve requests when its host is back."""
        for machine in machines.living(self.fly, args.app) if anything_is_lost() else ():
            if machine.name == args.name and is_lost(machine.id, machine.region):
                try:
                    machine_states.destroy(self.fly, args.app, machine.id, at_once=True)
                except ProviderError as error:
                    raise LOST_MACHINE(
                        id=machine.id, app=args.app, region=machine.region, reason=error.message
                    ) from None

    def _converge(self, resource_id: str, seen: Observed, state: MachineState, args: MachineArgs) -> MachineState:
        """Make the machine run what `args` say; roll back if that is not healthy."""
        fly, id = self.fly, seen.machine.id
        machines.check_host(args.app, seen.machine)
        self._refuse_to_overwrite(seen, state, args)
        if _is_side_by_side(args) and seen.needs_new_version:
            return self._update_side_by_side(resource_id, seen, state, args)
        snapshot_id = ""
        if args.volume_id and seen.needs_new_version:
            snapshot_id = volumes.take_snapshot(fly, args.app, args.volume_id).id
        silenced = silence.during_update(fly, args.monitor, args.app, UPDATES * args.healthy_seconds)
        with silenced, leases.leased(fly, args.app, id) as lease:
            now = client.retry_until_visible(lambda: machines.look_up(fly, args.app, id))
            if now != seen.machine:
                seen = Observed.compare(self, now, args)
                self._refuse_to_overwrite(seen, state, args)
            is_sent = not seen.needs_new_version
            wanted = _version(args, now.known_config if is_sent else complete(args, running=now.known_config))
            fallback = self._fallback(now, state)
            try:
                done = update.update(
                    self._ref(args, id),
                    now,
                    wanted,
                    fallback if fallback and not update.are_equal(fallback, wanted) else None,
                    lease,
                    is_sent=is_sent,
                    draft=_draft(args),
                    rescue=_rescue(args, state, snapshot_id),
                )
            except update.RolledBack as error:
                if error.evidence.machine.instance_id == state.instance_id:  # Fly had reverted the update.
                    raise
                back = _verified(
                    state,
                    error.evidence,
                    snapshot_id=snapshot_id,
                    downtime=error.downtime_seconds,
                    open_release=state.open_release,
                )
                raise Incomplete(resource_id, back, str(error)) from None
            except update.NothingToRollBackTo as error:
                left = machines.find(fly, args.app, id) or now
                raise Incomplete(resource_id, as_state(args, left), str(error)) from None
        downtime = 0.0 if is_sent else done.downtime_seconds
        verified = _verified(
            args, done.evidence, snapshot_id=snapshot_id, downtime=downtime, open_release=done.open_release
        )
        if is_sent and state.verified_at and state.instance_id == now.instance_id:  # What its update took stays.
            return replace(verified, **{name: getattr(state, name) for name in MEASURED_ONCE})
        return verified

    def _update_side_by_side(
        self, resource_id: str, seen: Observed, state: MachineState, args: MachineArgs
    ) -> MachineState:
        """Let a second machine take the place of this one."""
        fly, id = self.fly, seen.machine.id
        silenced = silence.during_update(fly, args.monitor, args.app, UPDATES * args.healthy_seconds)
        with silenced, leases.leased(fly, args.app, id) as lease:
            now = client.retry_until_visible(lambda: machines.look_up(fly, args.app, id))
            if now != seen.machine:
                self._refuse_to_overwrite(Observed.compare(self, now, args), state, args)
            pair = side_by_side.SideBySide(
                old=replace(self._ref(args, id), name=now.name),
                new_name=other_name(args.name, now.name),
                create=lambda name, config: self._create_second(args, name, config),
            )
            wanted = _version(args, complete(args, running=now.known_config))
            done = side_by_side.update(pair, wanted, lease, draft=_draft(args))
            verified = _verified(args, done.evidence, open_release=done.open_release)
            try:
                machine_states.destroy(fly, args.app, id, lease=lease)
            except ProviderError as error:
                raise Incomplete(resource_id, replace(verified, second_machine=id), str(error)) from None
        return verified

    def _create_second(self, args: MachineArgs, name: str, config: Config) -> "machines.Machine":
        """A machine that gets no requests yet. One that a killed run has left, and that the list did not show, is destroyed first."""
        second = replace(args, name=name)
        try:
            return self._create_once(second, config, is_routed=False)
        except client.FlyError as error:
            if NAME_TAKEN not in error.body:
                raise
        left = self._listed(second)
        if not machine_config.is_signed(left.known_config):
            raise NOT_OURS(id=left.id, name=name, app=args.app)
        machine_states.destroy(self.fly, args.app, left.id, at_once=True)
        return self._create_once(second, config, is_routed=False)

    def _settled(self, state: MachineState, id: str) -> "machines.Machine | None":
        """The machine `id`; if an update side by side has died, the one of the two that is kept."""
        found = machines.find(self.fly, state.app, id)
        second = self._second(state, id) if _is_side_by_side(state) or state.second_machine or not found else None
        if found and second:
            kept = side_by_side.settle(self.fly, state.app, found, second)
            return machines.find(self.fly, state.app, kept.id)
        return found or second

    def _second(self, args: MachineArgs, id: str) -> "machines.Machine | None":
        """The machine that an update side by side has created besides the machine `id`."""
        names = (args.name, other_name(args.name, args.name))
        for machine in machines.living(self.fly, args.app):
            if machine.id != id and machine.name in names and machine_config.is_signed(machine.known_config):
                return machines.find(self.fly, args.app, machine.id)
        return None

    def _refuse_to_overwrite(self, seen: Observed, state: MachineState, args: MachineArgs) -> None:
        """Raise when another client has changed the machine since we last looked, to something that is not wanted."""
        machine = seen.machine
        if machine.instance_id == state.instance_id or machine_config.is_signed(machine.known_config):
            return
        if not seen.changed or self._equals(seen.state, state):
            return
        fields = machine_config.differences(state.config, seen.state.config)
        fields += ["image"] if seen.state.image != state.image else []
        raise CHANGED_ELSEWHERE(name=args.name, app=args.app, fields=", ".join(fields))

    def _fallback(self, now: "machines.Machine", state: MachineState) -> "verification.Version | None":
        """The version to roll back to: what runs, unless a run of ours left it unfinished; then what was verified last."""
        known = _version(state, complete(state, running=now.known_config))
        is_known = self._equals(as_state(state, now), state)
        is_unfinished = machine_config.is_signed(now.known_config) and not is_known
        if not is_unfinished and (side_by_side.runs_well(now) or (is_known and state.verified_at)):
            return replace(known, config=now.known_config, health=known.health if is_known else None)
        return known if state.verified_at else None

    def _equals(self, seen: MachineState, state: MachineState) -> bool:
        return not set(self.changed_fields(seen, state)) - NEEDS_NO_VERSION

    def _existing(self, args: MachineArgs) -> "machines.Machine | None":
        """The machine to adopt, by its name: also one that an update side by side has created."""
        named = self._named(args)
        second = self._second(args, named.id if named else "")
        if named and second:
            older, newer = sorted((named, second), key=lambda machine: machine.instance_id)
            kept = side_by_side.settle(self.fly, args.app, older, newer)
            return machines.find(self.fly, args.app, kept.id)
        return named or second

    def _named(self, args: MachineArgs) -> "machines.Machine | None":
        """The machine of that name. Read again by its id, because the list can show one that was just destroyed."""
        living = machines.living(self.fly, args.app)
        named = (machine for machine in living if machine.name == args.name and not is_lost(machine.id, machine.region))
        found = next(named, None)
        return found and machines.find(self.fly, args.app, found.id)

    def _listed(self, args: MachineArgs) -> "machines.Machine":
        """The machine of that name, which Fly has, and may not list yet."""
        return waiting.poll(
            lambda: self._named(args),
            seconds=LOOK_AGAIN_SECONDS,
            waiting_for=f"machine {args.name} of app {args.app} to be listed",
        )

    def _ref(self, args: MachineArgs, id: str) -> "verification.MachineRef":
        return verification.MachineRef(fly=self.fly, stack=self.config, app=args.app, name=args.name, id=id)


def _replacement_problems(args: MachineArgs, old: MachineArgs) -> Iterable[Problem]:
    for name in sorted(marked(MachineArgs, REPLACES)):
        before, after = getattr(old, name), getattr(args, name)
        if before != after:
            problem = REPLACED(field=name, name=old.name, before=before, after=after, region=old.region)
            yield replace(problem, key=name)


def _health(args: MachineArgs, hostname: str) -> health.Health:
    return health.Health(hostname=hostname, path=args.health_path, expect_body=args.expect_body, probes=args.probes)


def _draft(args: MachineArgs) -> "releases.Draft | None":
    """What the release record says; None for a machine without public hostname, whose deployments are not recorded."""
    if not args.hostname:
        return None
    return releases.Draft(definition=unpacked(args.definition), tag=args.tag, strategy=args.strategy)


def _rescue(args: MachineArgs, state: MachineState, snapshot_id: str) -> str:
    """What else to know when a rollback is not possible."""
    data = f"; the data from before the update is in snapshot {snapshot_id}" if snapshot_id else ""
    secrets = "; Fly keeps no earlier secrets: if they are the cause, set the previous values and run `pulumi up`"
    return data + (secrets if args.secrets_version != state.secrets_version else "")


def _is_side_by_side(args: MachineArgs) -> bool:
    return args.strategy in SIDE_BY_SIDE and not args.volume_id


def _version(args: MachineArgs, config: Config) -> "verification.Version":
    return verification.Version(
        config=config,
        min_secrets_version=args.secrets_version,
        health=_health(args, args.hostname) if args.hostname else None,
        seconds=args.healthy_seconds,
    )


def _verified(
    args: MachineArgs,
    evidence: "verification.Evidence",
    *,
    snapshot_id: str = "",
    downtime: float = 0.0,
    open_release: str,
) -> MachineState:
    return replace(
        as_state(args, evidence.machine),
        verified_at=waiting.utc_now().isoformat(timespec="seconds"),
        snapshot_id=snapshot_id,
        start_seconds=evidence.start_seconds,
        checks_seconds=evidence.checks_seconds,
        downtime_seconds=downtime,
        latencies_ms=evidence.latencies_ms,
        open_release=open_release,
    )


class Machine(Resource[MachineArgs], module="fly", name="Machine"):
    """A Fly machine. `machine_id` is stable over updates in place, and changes with each update side by side (`strategy`); the
    id of the resource never changes. `instance_id` is the version that runs.

    config, image, secrets_version: changed in place, as a safe update. app, name, region, volume_id: replaces, if `replaceable`.
    The options of an update (hostname, health_path, expect_body, probes, healthy_seconds, definition, tag, strategy, monitor)
    take effect with the next one.
    """

    provider = MachineProvider

    instance_id: Output[str]
    machine_id: Output[str]
    state: Output[str]
    private_ip: Output[str]
    verified_at: Output[str]
    snapshot_id: Output[str]
    start_seconds: Output[float]
    checks_seconds: Output[float]
    downtime_seconds: Output[float]
    latencies_ms: Output[list[float]]
