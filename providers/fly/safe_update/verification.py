"""Whether one version of a machine is healthy: it has started, all its checks pass, the public address answers as expected,
and nothing in its events or log lines says that it crashes (fly.md, 6.5 and 6.8).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pulumi.dynamic import Config

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api import logs, machines
from providers.fly.api.client import GET_MACHINE_LIMIT, Fly, NotFound
from providers.fly.safe_update import machine_config
from providers.health import Health, probe

LOOK_SECONDS = 1.0
"""The longest pause between two looks at a machine that starts."""


class NotHealthy(ProviderError):
    """A version is not healthy; `step` says what it did not get through."""

    __module__ = "builtins"

    def __init__(self, message: str, *, step: str) -> None:
        super().__init__(message)
        self.step = step


@dataclass(frozen=True, kw_only=True)
class Version:
    """What a machine shall run, whole, and what tells that it does so well."""

    config: dict[str, Any]
    """As it is sent to Fly: image, volume and metadata included."""
    least_secrets: int | None = None
    health: Health | None = None
    """How the public address answers; None for a machine without one."""
    seconds: float = 300.0
    """How long it may take to start and to pass its checks."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was seen of a healthy version. Seconds are counted from the call of `verify`."""

    machine: dict[str, Any]
    start_seconds: float
    checks_seconds: float
    answer_seconds: float
    """Until the first of the good answers through the edge; without an edge, until the checks passed."""
    latencies_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Which machine it is about, and by whose means it is spoken to."""

    fly: Fly
    stack: Config
    app: str
    name: str
    id: str

    def __str__(self) -> str:
        return f"the machine {self.name!r} of {self.app!r}"

    def look(self) -> dict[str, Any] | None:
        """The machine as it is; None for one that Fly does not show yet."""
        try:
            found: dict[str, Any] = self.fly.call(
                "GET", machines.path(self.app, self.id), doing=f"look at {self}", limit=GET_MACHINE_LIMIT
            )
        except NotFound:
            return None
        return found


def verify(machine: Machine, instance_id: str, version: Version, lease: machines.Lease | None = None) -> Evidence:
    """Wait until `instance_id`, which runs `version`, is healthy. Raises NotHealthy as soon as that is hopeless."""
    began, show = waiting.clock.now(), engine.progress()

    def keep(text: str) -> None:
        show(text)
        if lease:
            lease.keep()

    def until(troubles: Callable[[dict[str, Any]], list[str]]) -> dict[str, Any]:
        return _until(machine, instance_id, version, troubles, keep, nonce=lease.nonce if lease else "")

    def since() -> float:
        return round(waiting.clock.now() - began, 1)

    def unhealthy(found: dict[str, Any]) -> list[str]:
        return _not_started(found) + machine_config.unhealthy_checks(version.config, found.get("checks") or [])

    with _step("start"):
        until(_not_started)
    started = since()
    with _step("health checks"):
        until(unhealthy)
    checked = answered = since()
    latencies: list[float] = []
    if version.health:
        with _step("public address"):
            answer = probe(machine.stack, version.health, meanwhile=keep)
        latencies, answered = answer.latencies_ms, round(answer.first_at - began, 1)
    with _step("log scan"):
        now = until(unhealthy)
        _refuse_crashes(machine, now)
    return Evidence(
        machine=now, start_seconds=started, checks_seconds=checked, answer_seconds=answered, latencies_ms=latencies
    )


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except ProviderError as error:
        raise NotHealthy(str(error), step=name) from None


def _until(
    machine: Machine,
    instance_id: str,
    version: Version,
    troubles: Callable[[dict[str, Any]], list[str]],
    keep: Callable[[str], None],
    *,
    nonce: str,
) -> dict[str, Any]:
    """The machine, once it runs `instance_id` without `troubles`. Fly shows the old version for a moment longer."""
    seen = "not shown by Fly yet"

    def arrived() -> dict[str, Any] | None:
        nonlocal seen
        keep(seen)
        found = machine.look()
        if found is None:
            return None
        if found["instance_id"] != instance_id:
            seen = f"version {found['instance_id']} still runs"
            return None
        if logs.is_crashing(found) or found["state"] in ("failed", *machines.GONE):
            raise ProviderError(f"version {instance_id} of {machine} does not stay up: it is {found['state']}")
        if found["state"] in ("stopped", "suspended"):  # Fly leaves one so that did not run when it was updated.
            machines.start(machine.fly, machine.app, machine.id, nonce=nonce)
        seen = "; ".join([found["state"], *troubles(found)])
        return None if troubles(found) else found

    return waiting.poll(
        arrived,
        seconds=version.seconds,
        waiting_for=f"version {instance_id} of {machine}",
        last_seen=lambda: seen,
        first_pause=0.2,
        max_pause=LOOK_SECONDS,
    )


def _not_started(found: dict[str, Any]) -> list[str]:
    return [] if found["state"] == "started" else ["not started"]


def _refuse_crashes(machine: Machine, found: dict[str, Any]) -> None:
    lines = logs.crash_lines(machine.fly, machine.app, found)
    if logs.crashes(found) or lines:
        said = f": {lines[-1]}" if lines else ""
        raise ProviderError(f"{machine} answers, but it has crashed since it was started{said}")
