"""Machines: their shape, and the calls that read, create and update them."""

import functools

import msgspec

from providers.decoding import require
from providers.errors import ErrorText
from providers.fly.api.client import GET_MACHINE_LIMIT, Fly, NotFound
from providers.fly.api.config_view import Config, ConfigView, view

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_LENGTH = 26
GONE = frozenset({"destroyed", "destroying"})

BAD_HOST = ErrorText(
    "machine {id} of app {app} is on a host that Fly reports as {status}: nothing was changed",
    remedy="look at https://status.fly.io and `fly machine status {id} -a {app}`; if the host stays away, restore the "
    "volume's newest snapshot (`fly volumes snapshots list`) to a new volume and deploy there",
)


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


def create(
    fly: Fly,
    app: str,
    name: str,
    *,
    region: str,
    config: Config,
    min_secrets_version: int | None,
    is_routed: bool = True,
) -> Machine:
    """Without `is_routed`, Fly's proxy sends no requests to it until it is uncordoned."""
    body = {"name": name, "region": region, "config": config, **_min_secrets(min_secrets_version)}
    if not is_routed:
        body["skip_service_registration"] = True
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


def check_host(app: str, machine: Machine) -> None:
    """Raise when Fly cannot reach the machine's host: an update would not end well."""
    if machine.host_status != "ok":
        raise BAD_HOST(id=machine.id, app=app, status=machine.host_status)
