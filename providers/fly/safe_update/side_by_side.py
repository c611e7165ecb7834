"""An update without downtime, for a machine without a volume: a second machine takes the place of the first one.

    lease of the first ─ create the second, without requests ─ started ─ checks ─ log scan
                       ─ requests to the second ─ none to the first ─ public address ─ release record ─ destroy the first
                            └────────────────── any of these fails ──────────────────┘
                               requests to the first again, destroy the second

It is flyctl's strategy bluegreen (https://github.com/superfly/flyctl, internal/command/deploy/strategy_bluegreen.go), with the public
address as a further step. Names are unique in an app, so the two machines take turns: `server` and `server-2`.

A run that dies leaves two machines. The next run keeps one of them (`settle`), and then updates that one.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from providers import engine, waiting
from providers.errors import ErrorText, ProviderError
from providers.fly.api import leases, logs, machine_states, machines, releases
from providers.fly.api.client import Fly
from providers.fly.api.config_view import Config
from providers.fly.api.machines import Machine
from providers.fly.safe_update import machine_config
from providers.fly.safe_update.update import FAILED, Done
from providers.fly.safe_update.verification import MachineRef, NotHealthy, Version, verify

ROUTED_SECONDS = 10.0
"""How long Fly's proxies may take to notice that a machine gets requests, or gets none any more. flyctl waits as long."""

ROLLED_BACK = ErrorText(
    f"{FAILED}. Rolled back to the previous version: its machine {{id}} has served all the time, and the new one is destroyed",
    remedy="fix the release, then run `pulumi up` again",
)
ROLLBACK_FAILED = ErrorText(
    f"ROLLBACK FAILED ({{error}}): two machines may serve, {{id}} with the previous version and {{new}}. The reason for the "
    f"rollback: {FAILED}",
    remedy="run `pulumi refresh`, then `pulumi up`: it keeps one of them",
)


class SideBySide(msgspec.Struct, frozen=True, kw_only=True):
    """How to create the second machine: `create` gets its name and config."""

    old: MachineRef
    new_name: str
    create: Callable[[str, Config], Machine]


def update(pair: SideBySide, wanted: Version, lease: leases.Lease, *, draft: releases.Draft | None) -> Done:
    """Run `wanted` in a second machine, and route requests to it instead of the old one. `lease` is that of the old one, which
    the caller destroys. Raises NotHealthy when the second machine is destroyed again, also after a failed attempt to do so."""
    old = pair.old
    release = releases.begin(old.fly, old.app, wanted.config["image"], draft) if draft else releases.Release()
    config = {**wanted.config, "metadata": {**wanted.config["metadata"], **release.metadata}}
    created: Machine | None = None
    try:
        created = pair.create(pair.new_name, machine_config.signed(config))
        lease.keep()
        new = replace(old, name=pair.new_name, id=created.id)
        inside = verify(new, created.instance_id, replace(wanted, health=None), lease, nonce="")
        route(old.fly, old.app, new.id)
        _pause(lease)
        unroute(old.fly, old.app, old.id, nonce=lease.nonce)
        left = max(0.0, wanted.seconds - inside.response_seconds)
        public = verify(new, created.instance_id, replace(wanted, seconds=left), lease, nonce="")
        _pause(lease)
    except ProviderError as error:
        failure = _rolled_back(pair, created, lease, error)
        releases.end(old.fly, release, "failed")
        raise failure from None
    open_release = releases.end(old.fly, release, "complete")
    evidence = replace(public, start_seconds=inside.start_seconds, checks_seconds=inside.checks_seconds)
    return Done(evidence=evidence, open_release=open_release, downtime_seconds=0.0)


def settle(fly: Fly, app: str, known: Machine, other: Machine) -> Machine:
    """Keep one of two machines that a run has left, route requests to it, and destroy the other one.

    `known` is the one in the state, or the older one. It is kept unless only the other one runs well.
    """
    with leases.leased(fly, app, known.id) as lease:
        now, second = machines.find(fly, app, known.id), machines.find(fly, app, other.id)
        if now is None or (second and runs_well(second) and not runs_well(now)):
            kept, left = second, now
        else:
            kept, left = now, second
        if kept:
            route(fly, app, kept.id, nonce=lease.nonce if kept is now else "")
            if kept.state in ("stopped", "suspended"):
                machine_states.start(fly, app, kept.id, nonce=lease.nonce if kept is now else "")
        if left:
            _pause(lease)
            machine_states.destroy(fly, app, left.id, at_once=left is second, lease=lease if left is now else None)
    return kept or known


def runs_well(machine: Machine) -> bool:
    """Whether it is started, all its checks pass, and nothing has crashed."""
    failures = machines.unhealthy_checks(machine.view, machine.checks)
    return machine.state == "started" and not failures and not logs.crashes(machine)


def route(fly: Fly, app: str, id: str, *, nonce: str = "") -> None:
    """Let Fly's proxy send requests to the machine. Idempotent."""
    doing = f"route requests to machine {id} of app {app}"
    fly.call("POST", f"{machines.path(app, id)}/uncordon", doing=doing, nonce=nonce, safe=True)


def unroute(fly: Fly, app: str, id: str, *, nonce: str = "") -> None:
    """Let Fly's proxy send no more requests to the machine. Idempotent."""
    doing = f"route no requests to machine {id} of app {app}"
    fly.call("POST", f"{machines.path(app, id)}/cordon", doing=doing, nonce=nonce, safe=True)


def _pause(lease: leases.Lease) -> None:
    engine.progress("moving requests")("until Fly's proxies have noticed", ROUTED_SECONDS)
    waiting.clock.sleep(ROUTED_SECONDS)
    lease.keep()


def _rolled_back(pair: SideBySide, created: Machine | None, lease: leases.Lease, failure: ProviderError) -> NotHealthy:
    """Leave the old machine alone, with all requests; the error to raise."""
    old = pair.old
    step = failure.step if isinstance(failure, NotHealthy) else "update"
    seen = _quietly(old, created)
    values = {
        "machine": old,
        "step": step,
        "failure": failure,
        "epilogue": logs.epilogue(old.fly, old.app, seen, created.id if created else old.id),
        "id": old.id,
        "new": created.id if created else pair.new_name,
    }
    text = ROLLED_BACK
    try:
        lease.keep()
        route(old.fly, old.app, old.id, nonce=lease.nonce)
        if created:
            _pause(lease)
            machine_states.destroy(old.fly, old.app, created.id, at_once=True)
    except ProviderError as error:
        text, values = ROLLBACK_FAILED, {**values, "error": error.message}
    message, remedy = text.fill(**values)
    return NotHealthy(message, remedy=remedy, step=step)


def _quietly(old: MachineRef, created: Machine | None) -> Machine | None:
    """The new machine as it is, if Fly answers."""
    try:
        return machines.look(old.fly, old.app, created.id) if created else None
    except ProviderError:
        return created
