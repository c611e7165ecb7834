"""The one machine of an app: its whole config, put back when a new version does not become healthy.

An update replaces everything, so everything is declared: the config that fly.toml renders to, the image by digest, the volume,
the version of the secrets. How an update goes, and what happens when it fails, is `safe_update`: after success and after
failure, state and world agree.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pulumi import Output

from providers import engine, health, waiting
from providers.errors import Incomplete, ProviderError
from providers.fly.api import logs, machines, releases, volumes
from providers.fly.api.client import VISIBLE_SECONDS, Fly, just_made, just_pushed
from providers.fly.provider import FlyProvider, make_once
from providers.fly.safe_update import machine_config
from providers.fly.safe_update.machine_config import PLATFORM_METADATA, SECRETS_VERSION
from providers.fly.safe_update.update import NothingToGoBackTo, are_alike, update
from providers.fly.safe_update.verification import Evidence, NotHealthy, Version, verify
from providers.fly.safe_update.verification import Machine as Subject
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

NOT_RUNNING = frozenset({"stopped", "suspended", "failed"})


@record
class MachineArgs:
    app: Annotated[Input[str], REPLACES]
    name: Annotated[Input[str], REPLACES]
    """Unique in its app; a machine of this name that is there already is adopted."""
    region: Annotated[Input[str], REPLACES]
    config: Input[dict[str, Any]]
    """As `AppConfig.config` renders it: without image, with mounts that name no volume. Changed in place, as a whole."""
    image: Input[str]
    """By digest, so that it is what runs. Changed in place."""
    volume_id: Annotated[Input[str | None], REPLACES] = field(default=None)
    """The volume of the config's one mount. A machine cannot change its volume. It is snapshotted before each update."""
    secrets_version: Input[int | None] = field(default=None)
    """The version of `Secrets` that the machine has at least. A newer one rolls the machine."""
    hostname: Input[str | None] = field(default=None)
    """The public one, for a machine that has one: an update is healthy when it answers there, and Fly keeps a release record
    of it. This and what follows says how an update is verified; changing it alone changes nothing."""
    health_path: Input[str] = field(default="/health")
    expect_body: Input[str | None] = field(default=None)
    """Text that must be in the answer: the release's version, say."""
    probes: Input[int] = field(default=3)
    """Good answers in a row."""
    healthy_seconds: Input[float] = field(default=300.0)
    """How long a new version may take to start and to pass its checks."""
    definition: Input[dict[str, Any]] = field(default_factory=dict)
    """The fly.toml that `config` was rendered from, for the release record: `fly deploy` elsewhere goes on from it."""


ABOUT_UPDATES = frozenset({"hostname", "health_path", "expect_body", "probes", "healthy_seconds", "definition"})


@record
class MachineState(MachineArgs):
    instance_id: str = ""
    """The version that runs; another one after each update of the config."""
    state: str = ""
    host_status: str = ""
    private_ip: str = ""
    verified_at: str = ""
    """When `instance_id` was found healthy, RFC 3339 in UTC; empty when it was not. What follows was measured then."""
    snapshot_id: str = ""
    """The snapshot of the volume that was taken before `instance_id`."""
    start_seconds: float = 0.0
    checks_seconds: float = 0.0
    """Until all checks passed, from the same moment as `start_seconds`."""
    downtime_seconds: float = 0.0
    """From the order to update until the first good answer at the public address: what users missed at most."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of the good answers at the public address, as seen from here."""


MEASURED = ("verified_at", "snapshot_id", "start_seconds", "checks_seconds", "downtime_seconds", "latencies_ms")


class MachineProvider(FlyProvider[MachineArgs, MachineState]):
    Args = MachineArgs
    State = MachineState
    replaces_by_deleting_first = True  # One volume has one machine, and a name is unique.

    def validate(self, args: MachineArgs, old: MachineArgs | None) -> Iterable[str]:
        mounts = args.config.get("mounts") or []
        if mounts and not args.volume_id:
            yield f"the config of {args.name!r} mounts a volume at {mounts[0].get('path')}, and volume_id names none"
        if args.volume_id and not mounts:
            yield f"the volume {args.volume_id} of {args.name!r} is mounted nowhere: add [mounts] to fly.toml"
        if "@sha256:" not in args.image:
            yield f"the image {args.image!r} is no digest: give the output `pinned` of an Image"
        yield from machine_config.guest_problems(args.config.get("guest") or {})
        if args.hostname:
            yield from health.health_problems(_health(args, args.hostname))

    def changed_fields(self, state: MachineState, args: MachineArgs) -> Iterable[str]:
        names = set(super().changed_fields(state, args)) - ABOUT_UPDATES
        if not machine_config.differences(args.config, state.config):
            names.discard("config")
        if state.state in NOT_RUNNING and not machine_config.has_autostop(args.config):
            names.add("state")
        return names

    def ensure(self, args: MachineArgs) -> tuple[str, MachineState]:
        fly = self.fly
        found = _named(fly, args)
        if found:
            return found["id"], self._bring_about(found, _state(args, found), args)
        release = releases.begin(fly, args.app, args.image, args.definition) if args.hostname else releases.Release()
        config = _complete(args, running={})
        config["metadata"] |= release.metadata
        body = {
            "name": args.name,
            "region": args.region,
            "config": machine_config.signed(config),
            **_least_secrets(args),
        }
        doing = f"create the machine {args.name!r} of {args.app!r}"
        made = make_once(
            lambda: just_pushed(lambda: fly.call("POST", f"/apps/{args.app}/machines", doing=doing, body=body)),
            lambda: _named(fly, args),
            what=f"the machine {args.name!r} of {args.app!r}",
        )
        # The addresses may not be there yet: from outside, a first version is verified by what comes after it.
        first = replace(_version(args, config), health=None)
        try:
            evidence = verify(self._subject(args, made["id"]), made["instance_id"], first)
        except NotHealthy as error:
            releases.end(fly, release, "failed")
            now = machines.find(fly, args.app, made["id"]) or made
            told = f"the machine {args.name!r} of {args.app!r} was made, and failed at the {error.step}: {error}"
            said = logs.epilogue(fly, args.app, now, made["id"])
            raise Incomplete(
                made["id"], _state(args, now), f"{told}; {said}. It was left as it is; correct the release, then run up"
            ) from None
        releases.end(fly, release, "complete")
        return made["id"], _verified(args, evidence, snapshot_id="", downtime=0.0)

    def observe(self, id: str, state: MachineState) -> MachineState | None:
        machine = machines.find(self.fly, state.app, id)
        if machine is None:
            return None
        seen = _state(state, machine)
        same = machine["instance_id"] == state.instance_id
        return replace(seen, **{name: getattr(state, name) for name in MEASURED}) if same else seen

    def sync(self, id: str, state: MachineState, args: MachineArgs) -> MachineState:
        before = machines.find(self.fly, args.app, id)
        if before is None and not state.verified_at:  # It may have been made a moment ago, by a run that failed then.
            before = waiting.poll(
                lambda: machines.find(self.fly, args.app, id),
                seconds=VISIBLE_SECONDS,
                waiting_for=f"the machine {id} of {args.app!r} to appear; if it is gone, run `pulumi refresh`",
            )
        if before is None:
            raise ProviderError(
                f"the machine {id} of {args.app!r} is gone: run `pulumi refresh`, then up makes a new one"
            )
        return self._bring_about(before, state, args)

    def remove(self, id: str, state: MachineState) -> None:
        machines.destroy(self.fly, state.app, id)

    def _bring_about(self, before: dict[str, Any], state: MachineState, args: MachineArgs) -> MachineState:
        """Let the machine run what `args` say, or what it ran before."""
        fly, subject = self.fly, self._subject(args, before["id"])
        path = machines.path(args.app, before["id"])
        machines.refuse_bad_host(args.app, before)
        self._refuse_to_overwrite(before, state, args)
        snapshot_id = ""
        if args.volume_id and self._needs_new_version(before, args):
            snapshot = volumes.take_snapshot(fly, args.app, args.volume_id, progress=engine.progress())
            snapshot_id = str(snapshot["id"])
        with machines.leased(fly, args.app, before["id"]) as lease:
            now = just_made(lambda: fly.call("GET", path, doing=f"look at {subject}"))
            self._refuse_to_overwrite(now, state, args)
            is_sent = not self._needs_new_version(now, args)
            wanted = _version(args, now["config"] if is_sent else _complete(args, running=now["config"]))
            fallback = self._fallback(now, state)
            try:
                done = update(
                    subject,
                    now,
                    wanted,
                    fallback if fallback and not are_alike(fallback, wanted) else None,
                    lease,
                    is_sent=is_sent,
                    definition=args.definition if args.hostname else None,
                    rescue=_rescue(args, state, snapshot_id),
                )
            except NothingToGoBackTo as error:
                left = machines.find(fly, args.app, before["id"]) or now
                raise Incomplete(before["id"], _state(args, left), str(error)) from None
        if is_sent and state.instance_id == now["instance_id"]:  # Nothing new: what was measured of it stays.
            snapshot_id, downtime = state.snapshot_id, state.downtime_seconds
        else:
            downtime = 0.0 if is_sent else done.downtime_seconds
        return _verified(args, done.evidence, snapshot_id=snapshot_id, downtime=downtime)

    def _needs_new_version(self, machine: dict[str, Any], args: MachineArgs) -> bool:
        """Whether something differs, or the version that is there has crashed: only a fresh one can then be verified."""
        return bool(set(self.changed_fields(_state(args, machine), args)) - {"state"}) or bool(logs.crashes(machine))

    def _refuse_to_overwrite(self, machine: dict[str, Any], state: MachineState, args: MachineArgs) -> None:
        """Raise when somebody else has changed the machine since it was last looked at, to something that is not wanted."""
        if machine["instance_id"] == state.instance_id or machine_config.is_signed(machine["config"]):
            return
        seen = _state(args, machine)
        if not set(self.changed_fields(seen, args)) - {"state"} or not set(self.changed_fields(seen, state)) - {
            "state"
        }:
            return
        fields = machine_config.differences(state.config, seen.config)
        fields += ["image"] if seen.image != state.image else []
        raise ProviderError(
            f"the machine {args.name!r} of {args.app!r} was changed by somebody else since the last up "
            f"({', '.join(fields)}), and was left as it is: run `pulumi refresh`, read in a preview what up would change "
            "back, then run up"
        )

    def _fallback(self, now: dict[str, Any], state: MachineState) -> Version | None:
        """What to go back to: what runs, unless it is what a run of ours left unfinished; then what was verified last."""
        known = _version(state, _complete(state, running=now["config"]))
        is_known = not set(self.changed_fields(_state(state, now), state)) - {"state"}
        is_unfinished = machine_config.is_signed(now["config"]) and not is_known
        if not is_unfinished and (_runs_well(now) or (is_known and state.verified_at)):
            return replace(known, config=dict(now["config"]), health=known.health if is_known else None)
        return known if state.verified_at else None

    def _subject(self, args: MachineArgs, id: str) -> Subject:
        return Subject(fly=self.fly, stack=self.config, app=args.app, name=args.name, id=id)


def _health(args: MachineArgs, hostname: str) -> health.Health:
    return health.Health(hostname=hostname, path=args.health_path, expect_body=args.expect_body, probes=args.probes)


def _rescue(args: MachineArgs, state: MachineState, snapshot_id: str) -> str:
    """What else to know when the version of before cannot be put back."""
    data = f"; the data of before is in the snapshot {snapshot_id}" if snapshot_id else ""
    secrets = "; Fly keeps no earlier secrets: if those are the cause, set the values of before and run up"
    return data + (secrets if args.secrets_version != state.secrets_version else "")


def _runs_well(machine: dict[str, Any]) -> bool:
    troubles = machine_config.unhealthy_checks(machine["config"], machine.get("checks") or [])
    return machine["state"] == "started" and not troubles and not logs.crashes(machine)


def _version(args: MachineArgs, config: dict[str, Any]) -> Version:
    return Version(
        config=config,
        least_secrets=None if args.secrets_version is None else int(args.secrets_version),
        health=_health(args, args.hostname) if args.hostname else None,
        seconds=args.healthy_seconds,
    )


def _verified(args: MachineArgs, evidence: Evidence, *, snapshot_id: str, downtime: float) -> MachineState:
    return replace(
        _state(args, evidence.machine),
        verified_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
        snapshot_id=snapshot_id,
        start_seconds=evidence.start_seconds,
        checks_seconds=evidence.checks_seconds,
        downtime_seconds=downtime,
        latencies_ms=evidence.latencies_ms,
    )


def _named(fly: Fly, args: MachineArgs) -> dict[str, Any] | None:
    return next((each for each in machines.living(fly, args.app) if each["name"] == args.name), None)


def _complete(args: MachineArgs, running: dict[str, Any]) -> dict[str, Any]:
    metadata = dict(PLATFORM_METADATA)
    if args.secrets_version is not None:
        metadata[SECRETS_VERSION] = str(int(args.secrets_version))
    kept = {
        key: value
        for key, value in (running.get("metadata") or {}).items()
        if key in machine_config.INJECTED_METADATA and key != SECRETS_VERSION
    }
    return machine_config.complete(
        args.config, image=args.image, volume_id=args.volume_id, running=running, metadata={**kept, **metadata}
    )


def _least_secrets(args: MachineArgs) -> dict[str, int]:
    return {} if args.secrets_version is None else {"min_secrets_version": int(args.secrets_version)}


def _state(args: MachineArgs, machine: dict[str, Any]) -> MachineState:
    """The machine as it is, in the spelling of `args` where that means the same."""
    config = dict(machine["config"])
    version = (config.get("metadata") or {}).get(SECRETS_VERSION)
    mounts = config.get("mounts") or []
    own = {**PLATFORM_METADATA, **(args.config.get("metadata") or {})}
    declared = {**args.config, "metadata": own}
    shown = machine_config.as_declared(declared, config)
    shown.pop("image", None)
    if shown.get("metadata") == own:
        shown["metadata"] = args.config.get("metadata")
    if mounts and args.config.get("mounts"):
        shown["mounts"] = _without_volume(shown["mounts"])
    return MachineState(
        **{
            **{name: getattr(args, name) for name in MachineArgs.__dataclass_fields__},
            "region": machine["region"],
            "config": {key: value for key, value in shown.items() if value is not None},
            "image": _image(args, machine),
            "volume_id": mounts[0]["volume"] if mounts else None,
            "secrets_version": int(version) if version else None,
        },
        instance_id=machine["instance_id"],
        state=machine["state"],
        host_status=machine.get("host_status", "ok"),
        private_ip=machine.get("private_ip", ""),
    )


def _image(args: MachineArgs, machine: dict[str, Any]) -> str:
    """The image that runs, in the spelling of `args` if it is the same one: flyctl names it by its tag."""
    image, told = str(machine["config"]["image"]), machine.get("image_ref") or {}
    name, _, digest = args.image.partition("@")
    is_same = digest and told.get("digest") == digest and name == f"{told.get('registry')}/{told.get('repository')}"
    return args.image if is_same else image


def _without_volume(mounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in mount.items() if key != "volume"} for mount in mounts]


class Machine(Resource[MachineArgs], module="fly", name="Machine"):
    """A Fly machine. Its id is stable over updates; `instance_id` is the version that runs.

    config, image, secrets_version: changed in place, as a safe update. app, name, region, volume_id: replaces. What says how
    an update is verified and recorded (hostname, health_path, expect_body, probes, healthy_seconds, definition) takes effect
    with the next one.
    """

    provider = MachineProvider

    instance_id: Output[str]
    state: Output[str]
    private_ip: Output[str]
    verified_at: Output[str]
    snapshot_id: Output[str]
    start_seconds: Output[float]
    checks_seconds: Output[float]
    downtime_seconds: Output[float]
    latencies_ms: Output[list[float]]
