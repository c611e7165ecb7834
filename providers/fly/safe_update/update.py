"""One update of a running machine, and the way back.

    snapshot of the volume ─ lease ─ look again ─ update ─ started ─ checks ─ public address ─ log scan ─ release
                                                     └────────── any of these fails ──────────┘
                                                       the version of before, under the same lease

The steps from `started` on are `verification`. A run that dies on the way leaves a version that carries its own hash
(`machine_config.signed`): the next run knows it for one of ours, and goes on. A version that is neither ours nor what was
asked for was put there by somebody else, and is not overwritten before it was looked at (`pulumi refresh`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from providers import waiting
from providers.errors import ProviderError
from providers.fly.api import logs, machines, releases
from providers.fly.api.client import FlyError, LeaseHeld, just_pushed
from providers.fly.provider import LOOK_AGAIN_SECONDS
from providers.fly.safe_update import machine_config
from providers.fly.safe_update.verification import Evidence, Machine, NotHealthy, Version, verify


@dataclass(frozen=True, kw_only=True)
class Done:
    """An update that went well. `downtime_seconds` is from the order to the first good answer: what users missed at most."""

    evidence: Evidence
    downtime_seconds: float


class NothingToGoBackTo(ProviderError):
    """The update failed, and there is no version that is known to have been healthy: the failed one was left."""

    __module__ = "builtins"


def update(
    machine: Machine,
    current: dict[str, Any],
    wanted: Version,
    before: Version | None,
    lease: machines.Lease,
    *,
    is_sent: bool,
    definition: dict[str, Any] | None,
    rescue: str = "",
) -> Done:
    """Let the machine, which is `current` now, run `wanted`; put `before` back if that is not healthy.

    With a `definition`, that fly.toml is recorded as a release. With `is_sent`, `current` runs `wanted` already, by a run that died, say: then only its health is in question. Raises
    NotHealthy when `before` runs again, or, with other words first, when it does not; NothingToGoBackTo without `before`.
    `rescue` tells how to get the data back, for the case that nothing works.
    """
    sent, config = None, wanted.config
    release = releases.of(current["config"]) if is_sent else releases.Release()
    if definition is not None and not is_sent:
        release = releases.begin(machine.fly, machine.app, config["image"], definition)
        config = {**config, "metadata": {**config["metadata"], **release.metadata}}
    ordered_at, took = waiting.clock.now(), 0.0
    try:
        sent = (
            current["instance_id"]
            if is_sent
            else _send(machine, current["instance_id"], config, wanted.least_secrets, lease)
        )
        took = waiting.clock.now() - ordered_at
        evidence = verify(machine, sent, wanted, lease)
    except ProviderError as error:
        releases.end(machine.fly, release, "failed")
        raise _failed(machine, sent, before, lease, error, ran=current["instance_id"], rescue=rescue) from None
    releases.end(machine.fly, release, "complete")
    return Done(evidence=evidence, downtime_seconds=round(took + evidence.answer_seconds, 1))


def _send(
    machine: Machine, current: str, config: dict[str, Any], least_secrets: int | None, lease: machines.Lease
) -> str:
    """Send a config to follow the version `current`; the version that it becomes.

    With `current_version` the call may be repeated: once it has taken effect, Fly refuses it, and what is there then is looked
    at. Under our lease that is ours too: this config, or the one that had been sent before it and has come through meanwhile.
    """
    signed = machine_config.signed(config)
    body = {
        "config": signed,
        "current_version": current,
        **({} if least_secrets is None else {"min_secrets_version": least_secrets}),
    }
    doing = f"update {machine}"

    def follower() -> dict[str, Any] | None:
        found = machine.look()
        return found if found and found["instance_id"] != current else None

    try:
        answer = just_pushed(
            lambda: machine.fly.call(
                "POST", machines.path(machine.app, machine.id), doing=doing, body=body, nonce=lease.nonce, safe=True
            )
        )
    except FlyError as error:
        if error.status != 409 or isinstance(error, LeaseHeld):
            raise
        found = waiting.poll(follower, seconds=LOOK_AGAIN_SECONDS, waiting_for=f"{doing}: {error}")
        if machine_config.have_same_signature(found["config"], signed):
            return str(found["instance_id"])
        if not machine_config.is_signed(found["config"]):
            raise
        return _send(machine, found["instance_id"], config, least_secrets, lease)
    return str(answer["instance_id"])


def _failed(
    machine: Machine,
    sent: str | None,
    before: Version | None,
    lease: machines.Lease,
    failure: ProviderError,
    *,
    ran: str,
    rescue: str,
) -> ProviderError:
    """Put the version of before back, if there is one; the error to report, which says what runs now. `sent` is the version
    that failed, None when it did not come to that; `ran` the one that there was."""
    step = failure.step if isinstance(failure, NotHealthy) else "update"
    seen = _quietly(machine.look)
    told = f"the update of {machine} failed at the {step}: {failure}; {logs.epilogue(machine.fly, machine.app, seen, machine.id)}"
    if before is None:
        return NothingToGoBackTo(
            f"{told}. There is no earlier healthy version to go back to: {_running(seen)} was left as it is{rescue}; "
            "correct the release, then run up"
        )
    image = before.config["image"]
    try:
        lease.keep()
        now = machine.look() if sent is None else None  # Nothing was sent, or nobody knows whether it was.
        current = sent or (now or {}).get("instance_id", "")
        if now and now["instance_id"] != ran and not machine_config.is_signed(now["config"]):
            return NotHealthy(
                f"{told}. Somebody else has changed the machine meanwhile: {_running(now)} was left as it is; run "
                "`pulumi refresh`, read in a preview what up would change back, then run up",
                step=step,
            )
        if now is None or not _is_as(now, before):
            current = _send(machine, current, before.config, None, lease)
        verify(machine, current, before, lease)
    except ProviderError as error:
        left = _quietly(machine.look)
        return NotHealthy(
            f"PUTTING THE VERSION OF BEFORE BACK FAILED ({error}), so {_running(left)}. Do this now: "
            f"`fly machine status {machine.id} -a {machine.app}`, then {_recovery(machine, left, before)}, then "
            f"`pulumi refresh`, then up with a version that works{rescue}. What had happened: {told}",
            step=step,
        )
    return NotHealthy(
        f"{told}. The version of before runs again and is healthy ({image}); correct the release, then run up",
        step=step,
    )


def _recovery(machine: Machine, left: dict[str, Any] | None, before: Version) -> str:
    """The command that makes the machine run `before`; one for the image alone, where nothing else is in the way."""
    image = before.config["image"]
    if left and not machine_config.differences(before.config, left["config"]):
        return f"`fly machine update {machine.id} -a {machine.app} --image {image} --yes`"
    return f"with the fly.toml of before `fly deploy -a {machine.app} --image {image}`"


def are_alike(one: Version, other: Version) -> bool:
    """Whether both run the same."""
    return one.config["image"] == other.config["image"] and not machine_config.differences(one.config, other.config)


def _is_as(now: dict[str, Any], before: Version) -> bool:
    same_image = now["config"]["image"] == before.config["image"]
    return same_image and not machine_config.differences(before.config, now["config"])


def _running(seen: dict[str, Any] | None) -> str:
    if seen is None:
        return "nobody can tell what runs (Fly does not answer)"
    return f"version {seen['instance_id']} ({seen['config']['image']}, {seen['state']})"


def _quietly(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    try:
        return look()
    except ProviderError:
        return None
