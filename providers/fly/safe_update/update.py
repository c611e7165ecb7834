"""One update of a running machine, and its rollback.

    snapshot of the volume ─ lease ─ look again ─ update ─ started ─ checks ─ public address ─ log scan ─ release record
                                                     └────────── any of these fails ──────────┘
                                                    roll back to the previous version, same lease

The steps from `started` on are `verification`. A run that dies on the way leaves a version whose config carries its own hash
(`machine_config.signed`), so the next run recognises it and continues. A version that is neither signed nor the wanted one was
deployed by another client: it is not overwritten before `pulumi refresh` has shown it.
"""

from collections.abc import Callable

import msgspec

from providers import waiting
from providers.creation import LOOK_AGAIN_SECONDS
from providers.errors import ErrorText, ProviderError
from providers.fly.api import leases, logs, machines, releases
from providers.fly.api.client import FlyError, LeaseHeld, retry_until_pullable
from providers.fly.api.config_view import Config
from providers.fly.api.machines import Machine
from providers.fly.safe_update import machine_config
from providers.fly.safe_update.recovery import recovery
from providers.fly.safe_update.verification import Evidence, MachineRef, NotHealthy, Reverted, Version, verify


class NothingToRollBackTo(ProviderError):
    """The update failed and no version is known to be healthy: the failed one was left running."""

    __module__ = "builtins"


class RolledBack(NotHealthy):
    """The update failed, and the previous version, sent again, was found healthy: `evidence` is what was seen of it."""

    __module__ = "builtins"

    def __init__(self, message: str, *, remedy: str, step: str, evidence: Evidence, downtime_seconds: float) -> None:
        super().__init__(message, remedy=remedy, step=step)
        self.evidence = evidence
        self.downtime_seconds = downtime_seconds


FAILED = "the update of {machine} failed at the {step}: {failure}; {epilogue}"
ROLLED_BACK = ErrorText(
    f"{FAILED}. Rolled back to the previous version, which is healthy ({{image}})",
    remedy="fix the release, then run `pulumi up` again",
    error=RolledBack,
)
NO_PREVIOUS = ErrorText(
    f"{FAILED}. There is no earlier healthy version to roll back to: {{running}} was left as it is",
    remedy="fix the release, then run `pulumi up` again{rescue}",
    error=NothingToRollBackTo,
)
CHANGED_MEANWHILE = ErrorText(
    f"{FAILED}. Another client has changed the machine meanwhile: {{running}} was left as it is",
    remedy="run `pulumi refresh`, read in a preview what `pulumi up` would change back, then run `pulumi up`",
    error=NotHealthy,
)
ROLLBACK_FAILED = ErrorText(
    f"ROLLBACK FAILED ({{error}}), so {{running}}. The reason for the rollback: {FAILED}",
    remedy="run `fly machine status {id} -a {app}`, then {recovery}, then `pulumi refresh`, then `pulumi up` with a version "
    "that works{rescue}",
    error=NotHealthy,
)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A successful update. `downtime_seconds` is the time from the call to the first good response: the longest downtime that
    users can have seen."""

    evidence: Evidence
    downtime_seconds: float
    open_release: str = ""
    """The id of a release record that could not be ended."""


def update(
    machine: MachineRef,
    current: Machine,
    wanted: Version,
    previous: Version | None,
    lease: leases.Lease,
    *,
    is_sent: bool,
    draft: releases.Draft | None,
    rescue: str = "",
) -> Done:
    """Make the machine, which is `current` now, run `wanted`; roll back to `previous` if that is not healthy.

    With a `draft`, a release is recorded. With `is_sent`, `current` runs `wanted` already, for example
    after a run that died: then only its health is verified. Raises RolledBack, NotHealthy after a rollback that failed, and
    NothingToRollBackTo without `previous`. `rescue` says how to get the data back if nothing works.
    """
    sent, config = None, wanted.config
    release = releases.of(current.view) if is_sent else releases.Release()
    if draft and not is_sent:
        release = releases.begin(machine.fly, machine.app, config["image"], draft)
        config = {**config, "metadata": {**config["metadata"], **release.metadata}}
    started_at, took = waiting.clock.now(), 0.0
    try:
        sent = current.instance_id if is_sent else _send(machine, current.instance_id, config, wanted, lease)
        took = waiting.clock.now() - started_at
        evidence = verify(machine, sent, wanted, lease)
    except ProviderError as error:
        failure = _rolled_back(
            machine, sent, previous, lease, error, ran=current.instance_id, rescue=rescue, began=started_at
        )
        releases.end(machine.fly, release, "failed")
        raise failure from None
    open_release = releases.end(machine.fly, release, "complete")
    return Done(
        evidence=evidence, open_release=open_release, downtime_seconds=round(took + evidence.response_seconds, 1)
    )


def _send(machine: MachineRef, current: str, config: Config, version: Version, lease: leases.Lease) -> str:
    """Send a config that replaces the version `current`; the id of the new version.

    The call may be repeated. Once it has taken effect, Fly refuses it, and we look at the machine: under our lease its config is
    ours too, either this one or one that we had sent before and that took effect in the meantime.
    """
    signed = machine_config.signed(config)

    def successor() -> Machine | None:
        found = machine.look()
        return found if found and found.instance_id != current else None

    try:
        response = retry_until_pullable(
            lambda: machines.update(
                machine.fly,
                machine.app,
                machine.id,
                signed,
                current_version=current,
                min_secrets_version=version.min_secrets_version,
                nonce=lease.nonce,
            )
        )
    except FlyError as error:
        if error.status != 409 or isinstance(error, LeaseHeld):
            raise
        found = waiting.poll(successor, seconds=LOOK_AGAIN_SECONDS, waiting_for=f"a new version of {machine} ({error})")
        if machine_config.have_same_signature(found.known_config, signed):
            return found.instance_id
        if not machine_config.is_signed(found.known_config):
            raise
        return _send(machine, found.instance_id, config, version, lease)
    return response.instance_id


def _rolled_back(
    machine: MachineRef,
    sent: str | None,
    previous: Version | None,
    lease: leases.Lease,
    failure: ProviderError,
    *,
    ran: str,
    rescue: str,
    began: float,
) -> ProviderError:
    """Roll back to `previous`, if there is one; the error to raise, which says what runs now.

    `sent` is the version that failed, None when nothing was sent; `ran` is the previous version, which runs again by itself when Fly
    has reverted the update. `began` is the time of the clock at which the update began.
    """
    step = failure.step if isinstance(failure, NotHealthy) else "update"
    if isinstance(failure, Reverted):
        sent = None
    seen = _quietly(machine.look)
    values = {
        "machine": machine,
        "step": step,
        "failure": failure,
        "epilogue": logs.epilogue(machine.fly, machine.app, seen, machine.id),
        "id": machine.id,
        "app": machine.app,
        "rescue": rescue,
    }
    if previous is None:
        return NO_PREVIOUS(**values, running=_running(seen))
    try:
        lease.keep()
        # Either nothing was sent, or Fly has reverted it, or the outcome is unknown.
        now = machine.look() if sent is None else None
        current = sent or (now.instance_id if now else "")
        if now and now.instance_id != ran and not machine_config.is_signed(now.known_config):
            return _not_healthy(CHANGED_MEANWHILE, step, **values, running=_running(now))
        if now is None or not _runs(now, previous):
            unrestricted = Version(config=previous.config)
            current = _send(machine, current, previous.config, unrestricted, lease)
        evidence = verify(machine, current, previous, lease)
    except ProviderError as error:
        left = _quietly(machine.look)
        values |= {"error": error.message, "running": _running(left)}
        return _not_healthy(ROLLBACK_FAILED, step, **values, recovery=recovery(machine, left, previous, error))
    message, remedy = ROLLED_BACK.fill(**values, image=previous.config["image"])
    downtime = round(waiting.clock.now() - began, 1)
    return RolledBack(message, remedy=remedy, step=step, evidence=evidence, downtime_seconds=downtime)


def _not_healthy(text: ErrorText, at: str, **values: object) -> NotHealthy:
    message, remedy = text.fill(**values)
    return NotHealthy(message, remedy=remedy, step=at)


def are_equal(one: Version, other: Version) -> bool:
    """Whether both run the same image with the same config."""
    return one.config["image"] == other.config["image"] and not machine_config.differences(one.config, other.config)


def _runs(now: Machine, version: Version) -> bool:
    same_image = now.view.image == version.config["image"]
    return same_image and not machine_config.differences(version.config, now.known_config)


def _running(seen: Machine | None) -> str:
    if seen is None:
        return "it is unknown what runs (Fly does not answer)"
    return f"version {seen.instance_id} ({seen.view.image}, {seen.state})"


def _quietly(look: Callable[[], Machine | None]) -> Machine | None:
    try:
        return look()
    except ProviderError:
        return None
