"""The one machine of an app: its whole config, put back when a new version does not become healthy.

An update replaces everything, so everything is declared: the config that fly.toml renders to, the image by digest, the volume,
the version of the secrets. The new version must start and pass its own checks (fly.md, 6.5 and 6.8). If it does not, the config
that ran before is put back and verified, and only then the failure is reported: the state keeps the old inputs, and they are
what runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pulumi

from providers import engine, waiting
from providers.errors import Incomplete, ProviderError, TimedOut
from providers.fly import logs, machine_config, machines
from providers.fly.client import GET_MACHINE_PACE, Fly, FlyError
from providers.fly.machine_config import PLATFORM_METADATA, SECRETS_VERSION
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES
from providers.resource import Resource

ROLLBACK_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class MachineArgs:
    app: Annotated[str, REPLACES]
    name: Annotated[str, REPLACES]
    """Unique in its app; a machine of this name that is there already is adopted."""
    region: Annotated[str, REPLACES]
    config: dict[str, Any]
    """As `AppConfig.config` renders it: without image, with mounts that name no volume. Changed in place, as a whole."""
    image: str
    """By digest, so that it is what runs. Changed in place."""
    volume_id: Annotated[str | None, REPLACES] = None
    """The volume of the config's one mount. A machine cannot change its volume."""
    secrets_version: int | None = None
    """The version of `Secrets` that the machine has at least. A newer one rolls the machine."""
    healthy_seconds: float = 300.0
    """How long a new version may take to start and to pass its checks."""


@dataclass(frozen=True, kw_only=True)
class MachineState(MachineArgs):
    instance_id: str = ""
    """The version that runs; another one after each update and restart of the config."""
    state: str = ""
    private_ip: str = ""


class NotHealthy(ProviderError):
    """A version did not start, crashes, or does not pass its checks."""

    __module__ = "builtins"


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

    def differing(self, state: MachineState, args: MachineArgs) -> Iterable[str]:
        names = set(super().differing(state, args)) - {"healthy_seconds"}
        if not machine_config.differences(args.config, state.config):
            names.discard("config")
        return names

    def ensure(self, args: MachineArgs) -> tuple[str, MachineState]:
        fly = self.fly
        found = _named(fly, args)
        if found:
            return found["id"], self.sync(found["id"], _state(args, found), args)
        body = {
            "name": args.name,
            "region": args.region,
            "config": _complete(args, running={}),
            **_least_secrets(args),
        }
        machine = make_once(
            lambda: fly.call(
                "POST",
                f"/apps/{args.app}/machines",
                doing=f"create the machine {args.name!r} of {args.app!r}",
                body=body,
            ),
            lambda: _named(fly, args),
            what=f"the machine {args.name!r} of {args.app!r}",
        )
        try:
            now = _wait_until_healthy(fly, args, machine["id"], machine["instance_id"], seconds=args.healthy_seconds)
        except (NotHealthy, TimedOut) as error:
            raise Incomplete(machine["id"], _state(args, machine), str(error)) from None
        return machine["id"], _state(args, now)

    def observe(self, id: str, state: MachineState) -> MachineState | None:
        machine = machines.find(self.fly, state.app, id)
        return _state(state, machine) if machine else None

    def sync(self, id: str, state: MachineState, args: MachineArgs) -> MachineState:
        fly = self.fly
        before = machines.find(fly, args.app, id)
        if before is None:
            raise ProviderError(
                f"the machine {id} of {args.app!r} is gone: run `pulumi refresh`, then up makes a new one"
            )
        machines.refuse_bad_host(args.app, before)
        with machines.leased(fly, args.app, id) as lease:
            if not set(self.differing(_state(args, before), args)) and _is_up(args, before):
                return _state(args, before)
            version = _apply(fly, args, before, _complete(args, running=before["config"]), lease)
            try:
                now = _wait_until_healthy(fly, args, id, version, seconds=args.healthy_seconds, lease=lease)
            except (NotHealthy, TimedOut) as error:
                raise _put_back(fly, args, before, lease, error) from None
        return _state(args, now)

    def remove(self, id: str, state: MachineState) -> None:
        machines.destroy(self.fly, state.app, id)


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
            "image": config["image"],
            "volume_id": mounts[0]["volume"] if mounts else None,
            "secrets_version": int(version) if version else None,
        },
        instance_id=machine["instance_id"],
        state=machine["state"],
        private_ip=machine.get("private_ip", ""),
    )


def _without_volume(mounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in mount.items() if key != "volume"} for mount in mounts]


def _is_up(args: MachineArgs, machine: dict[str, Any]) -> bool:
    """Whether nothing is left to do. One that crashed and came back is not: a fresh version is what can be verified."""
    troubles = machine_config.unhealthy_checks(args.config, machine.get("checks") or [])
    return machine["state"] == "started" and not troubles and not logs.crashes(machine)


def _apply(fly: Fly, args: MachineArgs, before: dict[str, Any], config: dict[str, Any], lease: machines.Lease) -> str:
    """Send a config; the version that it becomes. After a lost answer the machine is looked at before anything is repeated."""

    def applied() -> dict[str, Any] | None:
        now = machines.find(fly, args.app, before["id"])
        return now if now and now["instance_id"] != before["instance_id"] else None

    answer = make_once(
        lambda: fly.call(
            "POST",
            machines.path(args.app, before["id"]),
            doing=f"update the machine {args.name!r} of {args.app!r}",
            body={"config": config, **_least_secrets(args)},
            nonce=lease.nonce,
        ),
        applied,
        what=f"the new version of the machine {args.name!r} of {args.app!r}",
    )
    return str(answer["instance_id"])


def _wait_until_healthy(
    fly: Fly, args: MachineArgs, id: str, version: str, *, seconds: float, lease: machines.Lease | None = None
) -> dict[str, Any]:
    """The machine, once this version has started and passes all its checks. Raises NotHealthy as soon as that is hopeless."""
    show = engine.progress()
    troubles: list[str] = []

    def healthy() -> dict[str, Any] | None:
        if lease:
            lease.keep()
        try:
            machine = fly.call(
                "GET", machines.path(args.app, id), doing=f"look at the machine {args.name!r}", pace=GET_MACHINE_PACE
            )
        except FlyError as error:
            if error.status != 404:
                raise
            return None  # Fly shows new machines late.
        if machine["instance_id"] != version:
            troubles[:] = [f"version {machine['instance_id']} still runs"]
            return None
        if logs.is_crashing(machine) or machine["state"] == "failed":
            raise NotHealthy(
                f"version {version} of the machine {args.name!r} of {args.app!r} does not stay up: "
                f"{logs.epilogue(fly, args.app, machine, id)}"
            )
        if machine["state"] == "stopped":  # Fly leaves a machine stopped that was not running when it was updated.
            machines.start(fly, args.app, id, nonce=lease.nonce if lease else "")
        troubles[:] = machine_config.unhealthy_checks(args.config, machine.get("checks") or [])
        show(f"{machine['state']}; {'; '.join(troubles) or 'all checks pass'}")
        return machine if machine["state"] == "started" and not troubles else None

    found: dict[str, Any] = waiting.poll(
        healthy,
        seconds=seconds,
        waiting_for=f"version {version} of the machine {args.name!r} of {args.app!r} to be healthy",
        last_seen=lambda: "; ".join(troubles) or "not started",
        first=0.5,
    )
    return found


def _put_back(
    fly: Fly, args: MachineArgs, before: dict[str, Any], lease: machines.Lease, failure: ProviderError
) -> ProviderError:
    """Run the config of before again; the error to report, which tells whether that worked."""
    current = machines.find(fly, args.app, before["id"]) or before
    old = replace(args, config=dict(before["config"]), secrets_version=None)
    try:
        version = _apply(fly, old, current, dict(before["config"]), lease)
        _wait_until_healthy(fly, old, before["id"], version, seconds=ROLLBACK_SECONDS, lease=lease)
    except ProviderError as error:
        return NotHealthy(
            f"{failure}. The version of before was put back and is not healthy either: {error}. "
            f"Look at `fly logs -a {args.app}` and run up with a version that works"
        )
    return NotHealthy(f"{failure}. The version of before runs again; correct the release, then run up")


class Machine(Resource, module="fly", name="Machine"):
    """A Fly machine. Its id is stable over updates; `instance_id` is the version that runs."""

    provider = MachineProvider

    instance_id: pulumi.Output[str]
    state: pulumi.Output[str]
    private_ip: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        app: pulumi.Input[str],
        name: pulumi.Input[str],
        region: pulumi.Input[str],
        config: pulumi.Input[dict[str, Any]],
        image: pulumi.Input[str],
        volume_id: pulumi.Input[str] | None = None,
        secrets_version: pulumi.Input[int] | None = None,
        healthy_seconds: pulumi.Input[float] = 300.0,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "app": app,
            "name": name,
            "region": region,
            "config": config,
            "image": image,
            "volume_id": volume_id,
            "secrets_version": secrets_version,
            "healthy_seconds": healthy_seconds,
        }
        super().__init__(resource_name, arguments, opts)
