"""The record of a launch: made once all that it needs holds, and never changed after that.

Nothing is made in the world. The requirements and their evidence come from other resources' outputs. The backend alone is looked
at once more, at the moment of the declaration: that it answers as healthy, and that since its version was verified, all the time
in which testers tried it, the machine has not crashed and no answer was a 5xx. Later releases leave the record as it is. It can be
withdrawn, which is recorded as well and cannot be taken back: a second declaration is another record, under another label.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from pulumi import Output

from providers import health, waiting
from providers.errors import ProviderError
from providers.fly.api import logs, machines
from providers.fly.api.metrics import server_errors
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

HEALTHY = "healthy"
"""The requirement to which the backend's record since its verification belongs."""


class NotReady(ProviderError):
    """The launch cannot be declared; the text names everything that is missing."""

    __module__ = "builtins"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """`key` names it in waivers; `open` says what is missing, empty when it holds; `evidence` why it holds."""

    key: str
    open: str = ""
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    reason: str
    by: str


@record
class LaunchRecordArgs:
    label: Annotated[Input[str], REPLACES]
    declared_by: Input[str] = field(default="")
    """Empty for a release that was declared in former times: its record is kept, and none can be made."""
    hostname: Input[str] = field(default="")
    path: Input[str] = field(default="/health")
    org: Input[str] = field(default="")
    app: Input[str] = field(default="")
    machine_id: Input[str] = field(default="")
    verified_at: Input[str] = field(default="")
    """Since when the backend's version runs, RFC 3339."""
    requirements: Input[list[Requirement]] = field(default_factory=list)
    waivers: Input[dict[str, Waiver]] = field(default_factory=dict)
    """By key of the requirement that is waived."""
    facts: Input[dict[str, str]] = field(default_factory=dict)
    """What was launched: versions, digests, people."""
    withdrawn: Input[str | None] = field(default=None)
    """Why the launch is withdrawn; None as long as it stands."""


@record
class LaunchRecordState(LaunchRecordArgs):
    declared_at: str = ""
    """RFC 3339, in UTC, as is `withdrawn_at`."""
    withdrawn_at: str | None = None
    latencies_ms: list[float] = field(default_factory=list)
    """Of the health URL at the moment of the declaration."""
    server_errors: int = 0
    """Answers with a 5xx in the `watched_seconds` before the declaration; 0 unless that is waived."""
    watched_seconds: int = 0


class LaunchRecordProvider(FlyProvider[LaunchRecordArgs, LaunchRecordState]):
    Args = LaunchRecordArgs
    State = LaunchRecordState

    def validate(self, args: LaunchRecordArgs, old: LaunchRecordArgs | None) -> Iterable[str]:
        if not args.declared_by and not (old and old.label == args.label):
            yield f"{args.label} was never declared launched by this stack: take it out of solos:earlierReleases"
        known = {requirement.key for requirement in args.requirements}
        for key in sorted(args.waivers.keys() - known):
            yield f"there is no requirement {key!r} to waive; there are {', '.join(sorted(known))}"
        if old and old.withdrawn and old.withdrawn != args.withdrawn:
            yield f"the launch {args.label} is withdrawn ({old.withdrawn}), and that stays: declare the next one under a new label"
        if old is None and args.withdrawn:
            yield f"the launch {args.label} cannot be withdrawn before it is declared"

    def changed_fields(self, state: LaunchRecordState, args: LaunchRecordArgs) -> Iterable[str]:
        return [name for name in ("label", "withdrawn") if getattr(state, name) != getattr(args, name)]

    def ensure(self, args: LaunchRecordArgs) -> tuple[str, LaunchRecordState]:
        errors, seconds, trouble = self._since_verified(args)
        found = [*args.requirements, *([Requirement(key=HEALTHY, open=trouble)] if trouble else [])]
        missing = [each for each in found if each.open and each.key not in args.waivers]
        if missing:
            raise NotReady(
                f"{args.label} cannot be declared launched, {len({each.key for each in missing})} of {len(args.requirements)} "
                f"requirements are open: {'; '.join(f'{each.key}: {each.open}' for each in missing)}; see to them, or waive one "
                "in solos:waivers with a reason and a name"
            )
        answered = health.probe(self.config, health.Health(hostname=args.hostname, path=args.path))
        return args.label, LaunchRecordState(
            **vars(args),
            declared_at=_now(),
            latencies_ms=answered.latencies_ms,
            server_errors=errors,
            watched_seconds=seconds,
        )

    def _since_verified(self, args: LaunchRecordArgs) -> tuple[int, int, str]:
        """The 5xx answers since the version was verified, the seconds that covers, and what was wrong in that time."""
        troubles, errors, seconds = [], 0, 0
        machine = machines.find(self.fly, args.app, args.machine_id)
        if machine is None:
            troubles.append(f"the machine {args.machine_id} of {args.app!r} is gone")
        elif exits := logs.crashes(machine):
            troubles.append(f"the machine has crashed since it was deployed ({', '.join(exits)})")
        try:
            since = datetime.fromisoformat(args.verified_at).timestamp()
            errors, seconds = server_errors(self.fly, args.org, args.app, since)
        except ProviderError as error:
            troubles.append(f"nobody can tell how many answers were errors: {error}")
        if errors:
            troubles.append(f"{errors} answers were a 5xx since {args.verified_at} (`fly logs -a {args.app}`)")
        return errors, seconds, "; ".join(troubles)

    def observe(self, id: str, state: LaunchRecordState) -> LaunchRecordState:
        return state

    def sync(self, id: str, state: LaunchRecordState, args: LaunchRecordArgs) -> LaunchRecordState:
        return replace(state, withdrawn=args.withdrawn, withdrawn_at=_now() if args.withdrawn else None)

    def remove(self, id: str, state: LaunchRecordState) -> None:
        """Nothing: nothing was made."""


def _now() -> str:
    return datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds")


class LaunchRecord(Resource[LaunchRecordArgs], module="checks", name="LaunchRecord"):
    """The fact that a release is launched. `id` is its label."""

    provider = LaunchRecordProvider
    label: Output[str]
    declared_at: Output[str]
    declared_by: Output[str]
    withdrawn: Output[str | None]
    withdrawn_at: Output[str | None]
