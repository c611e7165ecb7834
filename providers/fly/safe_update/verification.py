"""Whether one version of a machine is healthy: it has started, all its checks pass, the public address answers as expected, and
neither its events nor its log lines show a crash.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace
from pulumi.dynamic import Config as StackConfig

from providers import waiting
from providers.errors import ErrorText, ProviderError
from providers.fly.api import leases, logs, machine_states, machines
from providers.fly.api.client import Fly, NotFound
from providers.fly.api.config_view import Config, view
from providers.fly.api.machines import Machine
from providers.health import Health, probe

LOOK_SECONDS = 1.0
"""The longest pause between two looks at a machine that starts."""


class Reverted(ProviderError):
    """Fly accepted an update and reverted it; the previous version keeps running."""

    __module__ = "builtins"


class NotHealthy(ProviderError):
    """A version is not healthy; `step` is the step that failed."""

    __module__ = "builtins"

    def __init__(self, message: str, *, remedy: str = "", step: str) -> None:
        super().__init__(message, remedy=remedy)
        self.step = step


UPDATING = frozenset({"replacing", "replaced", "updating"})
REVERTED_LOOKS = 3
"""How often in a row the previous version is seen after the update has begun: one response of Fly can be outdated."""

DOES_NOT_STAY_UP = ErrorText("version {version} of {machine} does not stay up: it is {state}")
REVERTED = ErrorText(
    "Fly has reverted the update of {machine}: version {running} runs again, as before{cause}", error=Reverted
)
CRASHED = ErrorText("{machine} answers, but it has crashed since it was started{line}")


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine runs, complete, and how to tell that it runs well."""

    config: Config
    """As it is sent to Fly: image, volume and metadata included."""
    min_secrets_version: int | None = None
    health: Health | None = None
    """How the public address answers; None for a machine without one."""
    seconds: float = 300.0
    """How long it may take to start, to pass its checks and to answer at the public address, all together."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a healthy version. Seconds are counted from the call of `verify`."""

    machine: Machine
    start_seconds: float
    checks_seconds: float
    response_seconds: float
    """Until the first good response of the public address; without one, until the checks passed."""
    latencies_ms: list[float] = msgspec.field(default_factory=list)


class MachineRef(msgspec.Struct, frozen=True, kw_only=True):
    """A machine, and the clients to reach it with."""

    fly: Fly
    stack: StackConfig
    app: str
    name: str
    id: str

    def __str__(self) -> str:
        return f"machine {self.name} of app {self.app}"

    def look(self) -> Machine | None:
        """The machine as it is; None for one that Fly does not show yet."""
        try:
            return machines.look_up(self.fly, self.app, self.id)
        except NotFound:
            return None


def verify(
    machine: MachineRef,
    instance_id: str,
    version: Version,
    lease: leases.Lease | None = None,
    *,
    nonce: str | None = None,
) -> Evidence:
    """Wait until `instance_id`, which runs `version`, is healthy: all steps together within `version.seconds`.

    `lease` is kept alive meanwhile; it is that of the machine, unless `nonce` is given. Raises NotHealthy as soon as it cannot become
    healthy, and Reverted when Fly has given it up."""
    began = waiting.clock.now()

    def keep() -> None:
        if lease:
            lease.keep()

    def until(failures: Callable[[Machine], list[str]], action: str) -> Machine:
        held = lease.nonce if lease and nonce is None else nonce or ""
        return _until(machine, instance_id, failures, keep, action=action, seconds=left(), nonce=held)

    def since() -> float:
        return round(waiting.clock.now() - began, 1)

    def left() -> float:
        return max(0.0, round(version.seconds - since(), 1))

    def unhealthy(found: Machine) -> list[str]:
        return _not_started(found) + machines.unhealthy_checks(view(version.config), found.checks)

    with _step("start"):
        until(_not_started, "starting machine")
    started = since()
    with _step("health checks"):
        until(unhealthy, "waiting for checks")
    checked = answered = since()
    latencies: list[float] = []
    if version.health:
        with _step("public address"):
            probed = probe(machine.stack, replace(version.health, seconds=left()), meanwhile=keep)
        latencies, answered = probed.latencies_ms, round(probed.first_at - began, 1)
    with _step("log scan"):
        now = until(unhealthy, "scanning logs")
        _refuse_crashes(machine, now)
    return Evidence(
        machine=now, start_seconds=started, checks_seconds=checked, response_seconds=answered, latencies_ms=latencies
    )


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except Reverted:
        raise
    except ProviderError as error:
        raise NotHealthy(error.message, remedy=error.remedy, step=name) from None


def _until(
    machine: MachineRef,
    instance_id: str,
    failures: Callable[[Machine], list[str]],
    keep: Callable[[], None],
    *,
    action: str,
    seconds: float,
    nonce: str,
) -> Machine:
    """The machine, once it runs `instance_id` without `failures`. Fly shows the previous version a moment longer."""
    seen = "not shown by Fly yet"
    is_begun, reverted_looks = False, 0

    def is_reverted(found: Machine) -> bool:
        """Whether the previous version runs again: Fly has begun the update, and the last looks show nothing of it."""
        nonlocal is_begun, reverted_looks
        is_begun |= found.state in UPDATING or bool(_failure_after(found, instance_id))
        is_old = found.instance_id < instance_id and found.state not in UPDATING
        reverted_looks = reverted_looks + 1 if is_begun and is_old else 0
        return reverted_looks >= REVERTED_LOOKS

    def arrived() -> Machine | None:
        nonlocal seen, is_begun
        keep()
        found = machine.look()
        if found is None:
            return None
        if found.instance_id != instance_id:
            seen = f"version {found.instance_id} still runs"
            if is_reverted(found):
                cause = _failure_after(found, instance_id)
                cause = f" ({cause})" if cause else ""
                raise REVERTED(machine=machine, running=found.instance_id, cause=cause)
            return None
        is_begun = True
        if logs.is_crashing(found) or found.is_gone or found.state == "failed":
            raise DOES_NOT_STAY_UP(version=instance_id, machine=machine, state=found.state)
        if found.state in ("stopped", "suspended"):  # A machine that was stopped before its update stays stopped.
            machine_states.start(machine.fly, machine.app, machine.id, nonce=nonce)
        failing = failures(found)
        seen = "; ".join([found.state, *failing])
        return None if failing else found

    return waiting.poll(
        arrived,
        seconds=seconds,
        waiting_for=f"version {instance_id} of {machine} to be healthy",
        last_seen=lambda: seen,
        action=action,
        first_pause=0.2,
        max_pause=LOOK_SECONDS,
    )


def _failure_after(found: Machine, instance_id: str) -> str:
    """What Fly says has failed since it accepted the version."""
    ordered_at = machines.ordered_at(instance_id)
    return next((event.failure for event in found.events if event.failure and event.timestamp >= ordered_at), "")


def _not_started(found: Machine) -> list[str]:
    return [] if found.state == "started" else ["not started"]


def _refuse_crashes(machine: MachineRef, found: Machine) -> None:
    lines = logs.crash_lines(machine.fly, machine.app, found)
    if logs.crashes(found) or lines:
        raise CRASHED(machine=machine, line=f": {lines[-1]}" if lines else "")
