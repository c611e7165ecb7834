"""The release that a stack is at. It is checked before a launch record is created.

A launch record is never changed or deleted. So a new release is not declared by the setting that declared the last one. And a stack
whose build Apple has accepted keeps one: testers would lose it.
"""

from collections.abc import Iterable

from msgspec.structs import asdict, replace
from pulumi import Output

from providers.errors import Problem, ProblemText
from providers.record import Input, Record, field
from providers.resource import Gate, Resource

DECLARED_AT_ONCE = ProblemText(
    "label",
    "the label changes from {before} to {after} while declared_by is set: {after} would be declared launched at once",
    remedy="empty declared_by (config key declaredBy), and list {before} among the earlier releases if it was declared (config key "
    "earlierReleases); declare {after} when it is ready",
)
BUILD_LEFT_OUT = ProblemText(
    "has_build",
    "this stack has a build, and the testers would lose it: the IPA (config key ipa) is not set any more",
    remedy="set the config key ipa to the path of the IPA again. The file is read for the next build only, and may be missing until then",
)


class ReleaseArgs(Record):
    label: Input[str]
    declared_by: Input[str] = field(default="")
    """Who declares it launched; empty until somebody does."""
    has_build: Input[bool] = field(default=False)
    """Whether Apple has accepted a build of the stack. Once it has, the build cannot be left out."""


class ReleaseState(ReleaseArgs):
    """The same."""


class ReleaseProvider(Gate[ReleaseArgs, ReleaseState]):
    Args = ReleaseArgs
    State = ReleaseState
    validates_unknown = True

    def validate(self, args: ReleaseArgs, old: ReleaseArgs | None) -> Iterable[Problem]:
        if old and old.label != args.label and args.declared_by:
            yield DECLARED_AT_ONCE(before=old.label, after=args.label)
        if old and old.has_build is True and args.has_build is False:
            yield BUILD_LEFT_OUT()

    def changed_fields(self, state: ReleaseState, args: ReleaseArgs) -> Iterable[str]:
        """A second build, which Apple has not accepted yet in a preview, changes nothing."""
        return super().changed_fields(state, replace(args, has_build=True) if state.has_build is True else args)

    def ensure(self, args: ReleaseArgs) -> tuple[str, ReleaseState]:
        return "release", ReleaseState(**asdict(args))

    def sync(self, id: str, state: ReleaseState, args: ReleaseArgs) -> ReleaseState:
        return ReleaseState(**asdict(args))


class Release(Resource[ReleaseArgs], module="checks", name="Release"):
    """The release that the stack is at."""

    provider = ReleaseProvider
    label: Output[str]
    declared_by: Output[str]
