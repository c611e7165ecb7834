"""The record of a launch: created when all requirements are met, and never changed afterwards.

The requirements and their evidence come from other resources' outputs. Only the backend is checked once more, at the moment of the
declaration: it answers as healthy, and since its version was verified, while testers used it, the machine has not crashed and no
response was a 5xx. Later releases leave the record as it is. A launch can be withdrawn, which is recorded too and cannot be undone: a
second declaration is another record, under another label.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec.structs import asdict, replace
from pulumi import Output

from providers import health, waiting
from providers.errors import ErrorText, Problem, ProblemText, ProviderError
from providers.fly.api import logs, machines, metrics
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

HEALTHY = "healthy"
"""The requirement that the backend has been healthy since its verification."""


class NotReady(ProviderError):
    """The launch cannot be declared; the text names everything that is missing."""

    __module__ = "builtins"


NOT_READY = ErrorText(
    "{label} cannot be declared launched, {count} of {total} requirements are open: {missing}",
    remedy="meet them, or waive one with a reason and a name",
    error=NotReady,
)
NEVER_DECLARED = ProblemText(
    "declared_by", "{label} was never declared launched by this stack", remedy="remove it from the earlier releases"
)
UNKNOWN_WAIVER = ProblemText("waivers", "there is no requirement {key} to waive", remedy="use one of {known}")
WITHDRAWN = ProblemText(
    "withdrawn",
    "launch {label} is withdrawn ({reason}), and that cannot be undone",
    remedy="declare the next launch under a new label",
)
NOT_DECLARED_YET = ProblemText("withdrawn", "launch {label} cannot be withdrawn before it is declared")


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is its name in waivers; `open` says what is missing, empty when it is met; `evidence` says why it is met."""

    key: str
    open: str = ""
    evidence: str = ""


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    by: str
    until: str = ""
    """The day on which it ends, `2026-11-29`; empty if it does not end."""

    def has_ended(self, today: str) -> bool:
        return bool(self.until) and self.until <= today


class LaunchRecordArgs(Record):
    label: Annotated[Input[str], REPLACES]
    declared_by: Input[str] = field(default="")
    """Empty for an earlier release: its record is kept, and none can be created."""
    hostname: Input[str] = field(default="")
    path: Input[str] = field(default="/health")
    org: Input[str] = field(default="")
    app: Input[str] = field(default="")
    machine_id: Input[str] = field(default="")
    verified_at: Input[str] = field(default="")
    """When the backend's version was verified, RFC 3339."""
    requirements: Input[list[Requirement]] = field(default_factory=list)
    waivers: Input[dict[str, Waiver]] = field(default_factory=dict)
    """By key of the requirement that is waived."""
    facts: Input[dict[str, str]] = field(default_factory=dict)
    """What was launched: versions, digests, people."""
    withdrawn: Input[str | None] = field(default=None)
    """Why the launch is withdrawn; None while it is valid."""


class LaunchRecordState(LaunchRecordArgs):
    declared_at: str = ""
    """RFC 3339, in UTC, as is `withdrawn_at`."""
    withdrawn_at: str | None = None
    latencies_ms: list[float] = field(default_factory=list)
    """Of the health URL at the moment of the declaration."""
    server_errors: int = 0
    """Answers with a 5xx in the `watched_seconds` before the declaration; 0 unless that is waived."""
    watched_seconds: int = 0


class LaunchRecordProvider(FlyGate[LaunchRecordArgs, LaunchRecordState]):
    Args = LaunchRecordArgs
    State = LaunchRecordState

    def validate(self, args: LaunchRecordArgs, old: LaunchRecordArgs | None) -> Iterable[Problem]:
        is_made = old is not None and old.label == args.label
        if not args.declared_by and not is_made:
            yield NEVER_DECLARED(label=args.label)
        known = {requirement.key for requirement in args.requirements}
        for key in sorted(args.waivers.keys() - known) if not is_made else ():
            yield UNKNOWN_WAIVER(key=key, known=", ".join(sorted(known)))
        if old and old.withdrawn and old.withdrawn != args.withdrawn:
            yield WITHDRAWN(label=args.label, reason=old.withdrawn)
        if old is None and args.withdrawn:
            yield NOT_DECLARED_YET(label=args.label)

    def changed_fields(self, state: LaunchRecordState, args: LaunchRecordArgs) -> Iterable[str]:
        return [name for name in ("label", "withdrawn") if getattr(state, name) != getattr(args, name)]

    def ensure(self, args: LaunchRecordArgs) -> tuple[str, LaunchRecordState]:
        errors, seconds, problem = self._since_verified(args)
        found = [*args.requirements, *([Requirement(key=HEALTHY, open=problem)] if problem else [])]
        waived = {key for key, waiver in args.waivers.items() if not waiver.has_ended(_now()[:10])}
        missing = [row for row in found if row.open and row.key not in waived]
        if missing:
            raise NOT_READY(
                label=args.label,
                count=len({row.key for row in missing}),
                total=len(args.requirements),
                missing="; ".join(f"{row.key}: {row.open}" for row in missing),
            )
        probed = health.probe(self.config, health.Health(hostname=args.hostname, path=args.path))
        return args.label, LaunchRecordState(
            **asdict(args),
            declared_at=_now(),
            latencies_ms=probed.latencies_ms,
            server_errors=errors,
            watched_seconds=seconds,
        )

    def sync(self, id: str, state: LaunchRecordState, args: LaunchRecordArgs) -> LaunchRecordState:
        return replace(state, withdrawn=args.withdrawn, withdrawn_at=_now() if args.withdrawn else None)

    def _since_verified(self, args: LaunchRecordArgs) -> tuple[int, int, str]:
        """The 5xx responses since the version was verified, the seconds that covers, and what was wrong in that time."""
        problems, errors, seconds = [], 0, 0
        machine = machines.find(self.fly, args.app, args.machine_id)
        if machine is None:
            problems.append(f"machine {args.machine_id} of app {args.app} does not exist")
        elif exits := logs.crashes(machine):
            problems.append(f"the machine has crashed since it was deployed ({', '.join(exits)})")
        try:
            since = datetime.fromisoformat(args.verified_at).timestamp()
            errors, seconds = metrics.server_errors(self.fly, args.org, args.app, since)
        except ProviderError as error:
            problems.append(f"the number of server errors is unknown: {error}")
        if errors:
            problems.append(f"{errors} responses were a 5xx since {args.verified_at} (`fly logs -a {args.app}`)")
        return errors, seconds, "; ".join(problems)


def _now() -> str:
    return waiting.utc_now().isoformat(timespec="seconds")


class LaunchRecord(Resource[LaunchRecordArgs], module="checks", name="LaunchRecord"):
    """The fact that a release is launched. Its id is its label."""

    provider = LaunchRecordProvider

    label: Output[str]
    declared_at: Output[str]
    declared_by: Output[str]
    facts: Output[dict[str, str]]
    withdrawn: Output[str | None]
    withdrawn_at: Output[str | None]
