"""Machines: their shape, their lease, and waiting for them.

The lease is kept alive by the code that waits: every poll calls `Lease.keep`, so no thread is needed.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from providers import waiting
from providers.decoding import require
from providers.errors import ErrorText, ProviderError, TimedOut, Uncertain
from providers.fly.api.client import GET_MACHINE_LIMIT, Fly, FlyError, LeaseHeld, NotFound
from providers.fly.api.durations import is_duration, seconds_of
from providers.fly.api.guest import Guest

Config = dict[str, Any]
"""A machine's config as Fly has it: an open document, which is sent, stored and compared as a whole."""

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_LENGTH = 26
GONE = frozenset({"destroyed", "destroying"})
LEASE_SECONDS = 60
KEEP_SECONDS = 15.0
"""A lease is renewed at this age: four times before it would expire."""
FOREIGN_LEASE_SECONDS = 90.0
"""How long to wait for another client's lease. A lease that a dead run of ours has left expires after LEASE_SECONDS."""
GONE_SECONDS = 90.0
WAIT_SLICE_SECONDS = 10
"""Fly's `wait` takes 1 to 60 s; with short slices the lease is kept and progress is shown."""
DEFAULT_KILL_SECONDS = 5.0
"""How long Fly waits between signal and kill where the config does not say."""

BAD_HOST = ErrorText(
    "machine {id} of app {app} is on a host that Fly reports as {status}: nothing was changed",
    remedy="look at https://status.fly.io and `fly machine status {id} -a {app}`; if the host stays away, restore the "
    "volume's newest snapshot (`fly volumes snapshots list`) to a new volume and deploy there",
)


class Mount(msgspec.Struct):
    path: str = ""
    volume: str | None = None


class ServiceCheck(msgspec.Struct):
    type: str = ""


class Service(msgspec.Struct):
    autostop: bool | str = False
    """Sent as off, stop or suspend; returned as a boolean too."""
    checks: list[ServiceCheck] = []


class StopConfig(msgspec.Struct):
    timeout: str | float | None = None

    def __post_init__(self) -> None:
        require(is_duration(self.timeout or 0), "Expected a duration - at timeout")


class ConfigView(msgspec.Struct):
    """The fields of a machine's config that we read."""

    image: str = ""
    metadata: dict[str, str] = {}
    mounts: list[Mount] = []
    services: list[Service] = []
    checks: dict[str, ServiceCheck] = {}
    guest: Guest | None = None
    stop_config: StopConfig | None = None

    @property
    def volume_id(self) -> str | None:
        """The volume that is mounted; a machine has at most one."""
        return self.mounts[0].volume if self.mounts else None


def view(config: Config) -> ConfigView:
    """The fields of `config` that we read. Raises msgspec.ValidationError."""
    return msgspec.convert({key: value for key, value in config.items() if value is not None}, ConfigView)


class ImageRef(msgspec.Struct):
    registry: str = ""
    repository: str = ""
    digest: str = ""


class Exit(msgspec.Struct):
    """How the main process ended."""

    requested_stop: bool = False
    oom_killed: bool = False
    exit_code: int | None = None
    guest_exit_code: int | None = None


class MonitorEvent(msgspec.Struct):
    exit_event: Exit | None = None


class EventRequest(Exit):
    """Where an exit is: in `exit_event`, in older responses in `MonitorEvent`, or one level up."""

    error: str = ""
    exit_event: Exit | None = None
    monitor_event: MonitorEvent | None = msgspec.field(name="MonitorEvent", default=None)


class Event(msgspec.Struct):
    type: str
    status: str = ""
    timestamp: float = 0
    """Milliseconds since 1970."""
    request: EventRequest | None = None

    @property
    def failure(self) -> str:
        """What failed, if this event is not the end of a process but the failure of a request."""
        if self.type == "exit" or "failed" not in self.status:
            return ""
        return self.request.error if self.request and self.request.error else f"{self.type} {self.status}"

    @property
    def has_started(self) -> bool:
        """Whether a process was started. The request to start it is an event `start` too, with status `starting`."""
        return self.type == "start" and self.status == "started"

    @property
    def exit(self) -> Exit | None:
        """How the process ended, if this event is its end."""
        if self.type != "exit" or self.request is None:
            return None
        older = self.request.monitor_event
        return self.request.exit_event or (older and older.exit_event) or self.request


class Check(msgspec.Struct):
    """The last result of a health check."""

    name: str
    status: str = ""
    output: str = ""


class Machine(msgspec.Struct):
    """A machine as Fly returns it; newest event first."""

    id: str
    name: str
    state: str
    region: str
    instance_id: str = ""
    """The version that runs: every update has a new one."""
    private_ip: str = ""
    host_status: str = "ok"
    config: Config | None = None
    """Absent while the host is unreachable; then `incomplete_config` has what Fly knows
    (https://github.com/superfly/fly-go/blob/main/machine_types.go)."""
    incomplete_config: Config | None = None
    image_ref: ImageRef = msgspec.field(default_factory=ImageRef)
    events: list[Event] = []
    checks: list[Check] = []

    def __post_init__(self) -> None:
        require(self.config is not None or self.host_status != "ok", "Object missing required field config")
        view(self.known_config)  # A config of another form is refused here, as a part of the response.

    @property
    def known_config(self) -> Config:
        return self.config or self.incomplete_config or {}

    @property
    def view(self) -> ConfigView:
        return view(self.known_config)

    @property
    def own_events(self) -> list[Event]:
        """The events since the version that runs was ordered, newest first."""
        since = ordered_at(self.instance_id)
        return [event for event in self.events if event.timestamp >= since]

    @property
    def is_gone(self) -> bool:
        """Whether the machine is destroyed: Fly still lists it for a while."""
        return self.state in GONE


def ordered_at(instance_id: str) -> float:
    """When Fly accepted the version, in milliseconds since 1970: it is a ULID, a little older than its `launch` event."""
    digits = [CROCKFORD.find(digit) for digit in instance_id[:10]]
    if len(instance_id) != ULID_LENGTH or min(digits) < 0:
        return 0.0
    return float(functools.reduce(lambda value, digit: value * 32 + digit, digits))


class _Lease(msgspec.Struct):
    nonce: str


class _LeaseResponse(msgspec.Struct):
    data: _Lease


def path(app: str, id: str) -> str:
    return f"/apps/{app}/machines/{id}"


def look_up(fly: Fly, app: str, id: str) -> Machine:
    """The machine in whatever state. Raises NotFound."""
    doing = f"look up machine {id} of app {app}"
    return fly.call("GET", path(app, id), doing=doing, shape=Machine, limit=GET_MACHINE_LIMIT)


def find(fly: Fly, app: str, id: str) -> Machine | None:
    """The machine, or None when it is gone."""
    try:
        machine = look_up(fly, app, id)
    except NotFound:
        return None
    return None if machine.is_gone else machine


def look(fly: Fly, app: str, id: str) -> Machine | None:
    """The machine in whatever state, or None when Fly does not know it (any more)."""
    try:
        return look_up(fly, app, id)
    except NotFound:
        return None


def list_all(fly: Fly, app: str, *, with_destroyed: bool = False) -> list[Machine]:
    """The machines of the app, without those that are destroyed. Raises NotFound when there is no such app."""
    machines = fly.call(
        "GET",
        f"/apps/{app}/machines",
        doing=f"list the machines of app {app}",
        shape=list[Machine],
        params={"include_deleted": "true"} if with_destroyed else None,
    )
    return machines if with_destroyed else [machine for machine in machines if not machine.is_gone]


def living(fly: Fly, app: str) -> list[Machine]:
    """As `list_all`; none when there is no such app."""
    try:
        return list_all(fly, app)
    except NotFound:
        return []


def create(fly: Fly, app: str, name: str, *, region: str, config: Config, min_secrets_version: int | None) -> Machine:
    body = {"name": name, "region": region, "config": config, **_min_secrets(min_secrets_version)}
    return fly.call(
        "POST", f"/apps/{app}/machines", doing=f"create machine {name} of app {app}", shape=Machine, body=body
    )


def update(
    fly: Fly,
    app: str,
    id: str,
    config: Config,
    *,
    current_version: str,
    min_secrets_version: int | None,
    nonce: str,
) -> Machine:
    """Replace the whole config. The call is repeatable: once it has taken effect, Fly refuses it with 409, because the
    machine no longer runs `current_version`."""
    body = {"config": config, "current_version": current_version, **_min_secrets(min_secrets_version)}
    doing = f"update machine {id} of app {app}"
    return fly.call("POST", path(app, id), doing=doing, shape=Machine, body=body, nonce=nonce, safe=True)


def _min_secrets(version: int | None) -> dict[str, int]:
    return {} if version is None else {"min_secrets_version": version}


class Lease:
    """The exclusive right to change a machine, until `release`. Kept alive by calling `keep` while waiting."""

    def __init__(self, fly: Fly, app: str, id: str) -> None:
        self._fly, self._path = fly, f"{path(app, id)}/lease"
        self._machine = f"machine {id} of app {app}"
        self.nonce = ""
        self._kept_at = 0.0

    def acquire(self) -> None:
        """Take the lease; wait for another client's to end. Raises LeaseHeld when that takes too long."""
        held: list[LeaseHeld] = []

        def taken() -> bool | None:
            try:
                self._post()
            except LeaseHeld as error:
                held.append(error)
                return None
            return True

        try:
            waiting.poll(
                taken, seconds=FOREIGN_LEASE_SECONDS, waiting_for=f"the lease of {self._machine}", first_pause=1.0
            )
        except TimedOut:
            raise held[-1] from None

    def keep(self) -> None:
        """Renew the lease when it is old, and take it again when it has expired. Fly returns the same nonce for the same
        nonce. Raises LeaseHeld when another client has it now."""
        if self.nonce and waiting.clock.now() - self._kept_at >= KEEP_SECONDS:
            try:
                self._post()
            except (NotFound, LeaseHeld):
                self.nonce = ""
                self.acquire()

    def release(self) -> None:
        """Give the lease back. Never fails: a lease that cannot be given back expires."""
        for _ in range(2 if self.nonce else 0):
            with suppress(ProviderError):
                doing = f"release the lease of {self._machine}"
                self._fly.call("DELETE", self._path, doing=doing, nonce=self.nonce, accept=(404, 409), safe=True)
                break
        self.nonce = ""

    def forget(self) -> None:
        """The lease is gone together with its machine."""
        self.nonce = ""

    def _post(self) -> None:
        # After a lost response we may hold a lease whose nonce we do not know. Wait for it as for another client's: it expires.
        try:
            response = self._fly.call(
                "POST",
                self._path,
                doing=f"lease {self._machine}",
                shape=_LeaseResponse,
                params={"ttl": LEASE_SECONDS},
                body={"ttl": LEASE_SECONDS, "description": "pulumi up"},
                nonce=self.nonce,
                safe=bool(self.nonce),
            )
        except Uncertain as uncertain:
            raise LeaseHeld(uncertain.message, remedy=uncertain.remedy, status=409) from None
        self.nonce = response.data.nonce
        self._kept_at = waiting.clock.now()


@contextmanager
def leased(fly: Fly, app: str, id: str) -> Iterator[Lease]:
    """Hold the machine's lease inside the block."""
    lease = Lease(fly, app, id)
    lease.acquire()
    try:
        yield lease
    finally:
        lease.release()


def wait_for(
    fly: Fly, app: str, id: str, state: str, *, version: str = "", seconds: float, lease: Lease | None = None
) -> None:
    """Wait until the machine (in that version) is in `state`; `stopped` needs the version. Raises TimedOut or FlyError.

    Fly returns 408 at the end of a slice and 404 for a new machine; both mean "not yet". For `destroyed`, 404 is success.
    """
    deadline = waiting.clock.now() + seconds
    seen = ""

    def reached() -> bool | None:
        nonlocal seen
        if lease:
            lease.keep()
        left = max(1, min(WAIT_SLICE_SECONDS, int(deadline - waiting.clock.now())))
        try:
            fly.call(
                "GET",
                f"{path(app, id)}/wait",
                doing=f"wait until machine {id} of app {app} is {state}",
                params={"state": state, "timeout": left, **_version(version)},
                limit=GET_MACHINE_LIMIT,
                attempt_seconds=left + 10.0,
            )
        except NotFound as error:
            seen = str(error)
            return True if state == "destroyed" else None
        except FlyError as error:
            if error.status not in (408, 409):
                raise
            seen = error.body
            if error.status == 409 and not _may_still_reach(fly, app, id):
                raise
            return None
        return True

    waiting.poll(
        reached, seconds=seconds, waiting_for=f"machine {id} of app {app} to be {state}", last_seen=lambda: seen
    )


def _version(version: str) -> dict[str, str]:
    """Under its present and its older name: some servers refuse to wait for `stopped` without the older one."""
    return {"version": version, "instance_id": version} if version else {}


def _may_still_reach(fly: Fly, app: str, id: str) -> bool:
    """After a 409 from `wait`: whether the machine is still changing its state."""
    machine = find(fly, app, id)
    return machine is not None and machine.state not in ("failed", "launch_failed")


def start(fly: Fly, app: str, id: str, *, nonce: str = "", seconds: float = 60.0) -> None:
    """Start a stopped machine. Fly refuses with 412 while the machine is being replaced; that is retried."""

    def started() -> bool | None:
        try:
            fly.call("POST", f"{path(app, id)}/start", doing=f"start machine {id} of app {app}", nonce=nonce, safe=True)
        except FlyError as error:
            if error.status != 412:
                raise
            return None
        return True

    waiting.poll(
        started, seconds=seconds, waiting_for=f"Fly to accept the start of machine {id} of app {app}", first_pause=0.5
    )


def restart(fly: Fly, app: str, id: str, *, seconds: float) -> None:
    """Restart the machine under its lease and wait until its checks pass, all together within `seconds`. Idempotent; a stopped
    machine needs no restart."""
    doing, deadline = f"restart machine {id} of app {app}", waiting.clock.now() + seconds

    def left() -> float:
        return max(0.0, round(deadline - waiting.clock.now(), 1))

    with leased(fly, app, id) as lease:

        def accepted() -> bool | None:
            """Fly refuses with 412 while the machine still starts, for example from an earlier restart of ours."""
            try:
                fly.call("POST", f"{path(app, id)}/restart", doing=doing, nonce=lease.nonce, safe=True)
            except FlyError as error:
                if error.status != 412:
                    raise
                machine = find(fly, app, id)
                return False if machine is None or machine.state in ("stopped", "suspended") else None
            return True

        if waiting.poll(accepted, seconds=left(), waiting_for=f"Fly to {doing}", first_pause=0.5):
            wait_for(fly, app, id, "started", seconds=left(), lease=lease)
            _wait_for_checks(fly, app, id, seconds=left(), lease=lease)


def _wait_for_checks(fly: Fly, app: str, id: str, *, seconds: float, lease: Lease) -> None:
    seen = ""

    def passing() -> bool | None:
        nonlocal seen
        lease.keep()
        machine = find(fly, app, id)
        failures = unhealthy_checks(machine.view, machine.checks) if machine else ["it does not exist"]
        seen = "; ".join(failures)
        return None if failures else True

    waiting.poll(
        passing,
        seconds=seconds,
        waiting_for=f"machine {id} of app {app} to be healthy after its restart",
        last_seen=lambda: seen,
    )


def unhealthy_checks(config: ConfigView, reported: list[Check]) -> list[str]:
    """The configured checks that have no result, or that do not pass: one text each.

    Service checks are reported as `servicecheck-NN-<type>-<port>`. How NN counts over several services is not documented, so we
    count them. Checks named `bg_deployments_compat…` are copies that Fly makes.
    """
    own = [check for check in reported if not check.name.startswith("bg_deployments_compat")]
    of_services = [check for check in own if check.name not in config.checks]
    expected = sum(len(service.checks) for service in config.services)
    failures = [
        f"{check.name} is {check.status} ({' '.join((check.output or 'no output').split())[:120]})"
        for check in own
        if check.status != "passing"
    ]
    failures += [f"{name} has no result yet" for name in config.checks if name not in {check.name for check in own}]
    if len(of_services) < expected:
        failures.append(f"{expected - len(of_services)} of {expected} service checks have no result yet")
    return failures


def destroy(fly: Fly, app: str, id: str, *, at_once: bool = False) -> None:
    """Stop the machine gracefully, delete it and wait until it is destroyed, which frees its name; succeeds when it already is.
    `at_once` kills it."""
    try:
        machine = look_up(fly, app, id)
    except NotFound:
        return
    if not machine.is_gone:
        with leased(fly, app, id) as lease:
            now = find(fly, app, id)
            if now and not at_once and now.state == "started" and now.host_status == "ok":
                doing = f"stop machine {id} of app {app}"
                fly.call("POST", f"{path(app, id)}/stop", doing=doing, nonce=lease.nonce, safe=True)
                wait_for(fly, app, id, "stopped", version=now.instance_id, seconds=_stop_seconds(now), lease=lease)
            fly.call(
                "DELETE",
                path(app, id),
                doing=f"destroy machine {id} of app {app}",
                params={"force": "true"},
                nonce=lease.nonce,
                accept=(404,),
                safe=True,
            )
            lease.forget()
    waiting.poll(
        lambda: True if _is_destroyed(fly, app, id) else None,
        seconds=GONE_SECONDS,
        waiting_for=f"machine {id} of app {app} to be destroyed",
        remedy="run the same command again",
    )


def _is_destroyed(fly: Fly, app: str, id: str) -> bool:
    try:
        return look_up(fly, app, id).state == "destroyed"
    except NotFound:
        return True


def _stop_seconds(machine: Machine) -> float:
    stop = machine.view.stop_config
    return 30.0 + (seconds_of(stop.timeout) if stop and stop.timeout else DEFAULT_KILL_SECONDS)


def check_host(app: str, machine: Machine) -> None:
    """Raise when Fly cannot reach the machine's host: an update would not end well."""
    if machine.host_status != "ok":
        raise BAD_HOST(id=machine.id, app=app, status=machine.host_status)
