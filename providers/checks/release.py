"""The release that a stack is at. It is checked before a launch record is created.

A launch record is never changed or deleted. So a new release is not declared by the setting that declared the last one.
"""

from collections.abc import Iterable

from pulumi import Output

from providers.errors import Problem, ProblemText
from providers.record import Input, field, record
from providers.resource import Gate, Resource

DECLARED_AT_ONCE = ProblemText(
    "label",
    "the label changes from {before} to {after} while declared_by is set: {after} would be declared launched at once",
    remedy="empty declared_by (config key declaredBy), and list {before} among the earlier releases if it was declared (config key "
    "earlierReleases); declare {after} when it is ready",
)


@record
class ReleaseArgs:
    label: Input[str]
    declared_by: Input[str] = field(default="")
    """Who declares it launched; empty until somebody does."""


@record
class ReleaseState(ReleaseArgs):
    """The same."""


class ReleaseProvider(Gate[ReleaseArgs, ReleaseState]):
    Args = ReleaseArgs
    State = ReleaseState

    def validate(self, args: ReleaseArgs, old: ReleaseArgs | None) -> Iterable[Problem]:
        if old and old.label != args.label and args.declared_by:
            yield DECLARED_AT_ONCE(before=old.label, after=args.label)

    def ensure(self, args: ReleaseArgs) -> tuple[str, ReleaseState]:
        return "release", ReleaseState(**vars(args))

    def sync(self, id: str, state: ReleaseState, args: ReleaseArgs) -> ReleaseState:
        return ReleaseState(**vars(args))


class Release(Resource[ReleaseArgs], module="checks", name="Release"):
    """The release that the stack is at."""

    provider = ReleaseProvider
    label: Output[str]
    declared_by: Output[str]
