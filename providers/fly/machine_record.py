"""What is declared of a machine, what is known of it, and both in Fly's form."""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

from providers.adoption import Adoptable
from providers.fly.api import machines
from providers.fly.api.config_view import Config, view
from providers.fly.lost import anything_is_lost, is_given_up
from providers.fly.safe_update import machine_config
from providers.properties import KEPT, REPLACES
from providers.record import Input, field

SIDE_BY_SIDE = frozenset({"bluegreen", "canary"})
"""The strategies of fly.toml with a second machine. flyctl's canary tests one, and then updates the first one in place. Here both names
mean the same."""


def machine_names(name: str, strategy: str) -> list[str]:
    """The names that a machine can have which is updated with that strategy."""
    return [name, other_name(name, name)] if strategy in SIDE_BY_SIDE else [name]


def other_name(name: str, current: str) -> str:
    """The name of the machine that takes the place of the machine `current`."""
    return name if current != name else f"{name}-2"


def packed(definition: Mapping[str, object]) -> str:
    """A fly.toml in one line. Not as JSON, which the Pulumi CLI shows line by line."""
    return base64.b64encode(json.dumps(definition).encode()).decode()


def unpacked(text: str) -> dict[str, object]:
    """The fly.toml that was packed."""
    found: dict[str, object] = json.loads(base64.b64decode(text)) if text else {}
    return found


class MachineArgs(Adoptable):
    app: Annotated[Input[str], REPLACES]
    name: Annotated[Input[str], REPLACES]
    """Unique in its app; an existing machine of this name is adopted."""
    region: Annotated[Input[str], REPLACES]
    config: Input[dict[str, Any]]
    """As `AppConfig.config` renders it: without image, with mounts that name no volume. Changed in place, as a whole."""
    image: Input[str]
    """By digest, so that it is what runs. Changed in place."""
    volume_id: Annotated[Input[str | None], REPLACES] = field(default=None)
    """The volume of the config's only mount. A machine cannot change its volume. Each update takes a snapshot of it first."""
    secrets_version: Input[int | None] = field(default=None)
    """The least version of `Secrets` that the machine has. A newer one updates the machine."""
    hostname: Input[str | None] = field(default=None)
    """The public hostname, if the machine has one: an update is healthy when it answers there, and Fly gets a release record.
    This argument and the following ones say how an update is verified; changing them alone changes nothing."""
    health_path: Input[str] = field(default="/health")
    expect_body: Input[str | None] = field(default=None)
    """Text that the response must contain, for example the release's version."""
    probes: Input[int] = field(default=3)
    """Good responses in a row."""
    healthy_seconds: Input[float] = field(default=300.0)
    """How long a new version may take to start, to pass its checks and to answer at its hostname, all together."""
    replaceable: Input[bool] = field(default=True)
    """Whether a change of app, name, region or volume may replace the machine, which is an outage. Otherwise a preview refuses it."""
    definition: Input[str] = field(default="")
    """The fly.toml that `config` was rendered from, for the release record: `fly deploy` from another folder uses it. As `packed`
    returns it: a diff shows it in one line, and not line by line after `config`."""
    tag: Input[str] = field(default="")
    """`image` with its tag instead of its digest, for the release record: Fly may not find the image by its digest."""
    strategy: Input[str] = field(default="rolling")
    """How fly.toml wants it updated. With bluegreen or canary, a machine without a volume is replaced by a second one, without downtime."""
    monitor: Input[str | None] = field(default=None)
    """The app whose Alertmanager is silenced during an update; see `silence`."""
    restore_required: Annotated[Input[bool], KEPT] = field(default=False)
    """Whether a new machine must not begin with an empty database: its volume takes the place of a lost one."""


UPDATE_OPTIONS = frozenset(
    {
        "hostname",
        "health_path",
        "expect_body",
        "probes",
        "healthy_seconds",
        "replaceable",
        "definition",
        "tag",
        "strategy",
        "monitor",
    }
)


class MachineState(MachineArgs):
    instance_id: str = ""
    """The version that runs: every update of the config has a new one."""
    state: str = ""
    host_status: str = ""
    private_ip: str = ""
    verified_at: str = ""
    """When `instance_id` was found healthy, RFC 3339 in UTC; empty when it was not. The following fields were measured then."""
    snapshot_id: str = ""
    """The snapshot of the volume that was taken before `instance_id`."""
    start_seconds: float = 0.0
    checks_seconds: float = 0.0
    """Until all checks passed, from the same moment as `start_seconds`."""
    downtime_seconds: float = 0.0
    """From the update until the first good response at the public address: the longest downtime that users can have seen."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of the good responses at the public address, as seen from here."""
    machine_id: str = ""
    """The machine that runs. It differs from the id of the resource after an update side by side."""
    second_machine: str = ""
    """Another machine that such an update has left, when it died: the next `up` destroys it."""
    open_release: str = ""
    """A release record that still says running, because Fly did not respond at the end: the next `up` ends it."""


MEASURED_ONCE = ("snapshot_id", "start_seconds", "checks_seconds", "downtime_seconds")
"""Of the update that has started a version. The rest of `MEASURED` is measured whenever that version is verified again."""
MEASURED = (*MEASURED_ONCE, "verified_at", "latencies_ms", "open_release")


def complete(args: MachineArgs, running: Config) -> Config:
    """What is sent to Fly for `args`; flyctl's metadata in the running config stays, and so does the requirement of a restore."""
    metadata = dict(machine_config.PLATFORM_METADATA)
    if args.secrets_version is not None:
        metadata[machine_config.SECRETS_VERSION] = str(args.secrets_version)
    kept = {
        key: value
        for key, value in view(running).metadata.items()
        if key in machine_config.INJECTED_METADATA and key != machine_config.SECRETS_VERSION
    }
    sent = machine_config.complete(
        args.config, image=args.image, volume_id=args.volume_id, running=running, metadata={**kept, **metadata}
    )
    was_required = machine_config.RESTORE_REQUIRED in (running.get("env") or {})
    is_required = was_required if running else args.restore_required or anything_is_lost()
    if args.volume_id and is_required and not is_given_up():
        sent["env"] = {**(sent.get("env") or {}), machine_config.RESTORE_REQUIRED: "1"}
    return sent


def as_state(args: MachineArgs, machine: "machines.Machine") -> MachineState:
    """The machine as it is, in the form of `args` where that means the same."""
    config = machine.view
    version = config.metadata.get(machine_config.SECRETS_VERSION)
    own = {**machine_config.PLATFORM_METADATA, **(args.config.get("metadata") or {})}
    shown = machine_config.as_declared({**args.config, "metadata": own}, machine.known_config)
    shown.pop("image", None)
    if shown.get("metadata") == own:
        shown["metadata"] = args.config.get("metadata")
    if config.mounts and args.config.get("mounts"):
        shown["mounts"] = [{key: value for key, value in mount.items() if key != "volume"} for mount in shown["mounts"]]
    return MachineState(
        **{
            **{name: getattr(args, name) for name in MachineArgs.__struct_fields__},
            "region": machine.region,
            "config": {key: value for key, value in shown.items() if value is not None},
            "image": _image(args, machine),
            "volume_id": config.volume_id,
            "secrets_version": int(version) if version else None,
        },
        instance_id=machine.instance_id,
        machine_id=machine.id,
        state=machine.state,
        host_status=machine.host_status,
        private_ip=machine.private_ip,
    )


def _image(args: MachineArgs, machine: "machines.Machine") -> str:
    """The image that runs, by its digest: flyctl writes it with its tag. As in `args` if it is the same one."""
    running, shown = machine.image_ref, machine.view.image
    name = f"{running.registry}/{running.repository}"
    if args.image.partition("@")[::2] == (name, running.digest):
        return args.image
    return shown if "@" in shown or not running.digest else f"{name}@{running.digest}"
