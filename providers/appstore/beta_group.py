"""Tester groups of an app, found by exact name. Attributes that Apple sets only at creation do not change unless asked for."""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import replace
from pulumi import Output

from providers.adoption import Adoptable
from providers.appstore.api import client, errors, objects
from providers.errors import ErrorText, Problem, ProblemText
from providers.properties import REPLACES, is_known
from providers.record import Input, field
from providers.resource import Provider, Resource

FIXED = ("app_id", "internal", "has_access_to_all_builds")
CHANGED_IN_PLACE = ("name", "feedback_enabled")

NOT_INTERNAL = ProblemText("has_access_to_all_builds", "only an internal group can have has_access_to_all_builds")
NAME_EMPTY = ProblemText("name", "the name of the tester group is empty")
NEEDS_REPLACEMENT = ErrorText(
    "Apple sets {fields} of a tester group only at creation, and a replacement of group '{name}' loses its testers",
    remedy="restore {fields}, or set drops_testers for this one change (config key dropTesters)",
)
DIFFERENT_GROUP = ErrorText(
    "app {app_id} already has a tester group '{name}' with other values of {fields}, which Apple sets only at creation",
    remedy="use its values, choose another name, or delete the group in App Store Connect (which removes its testers)",
)
NAME_TAKEN = ErrorText(
    "app {app_id} has another tester group '{name}' ({id})",
    remedy="choose another name, or rename or delete that group in App Store Connect",
)
AMBIGUOUS = ErrorText(
    "app {app_id} has {count} tester groups named '{name}' ({ids}), so it is not clear which one to use",
    remedy="rename or delete all but one in App Store Connect",
)


class BetaGroupArgs(Adoptable):
    app_id: Annotated[Input[str], REPLACES]
    name: Input[str]
    """Unique among the app's groups: Apple does not check that, this provider does. Changed in place."""
    internal: Annotated[Input[bool], REPLACES] = field(default=True)
    """An internal group has up to 100 users of the team and needs no review. Apple sets it only at creation."""
    has_access_to_all_builds: Annotated[Input[bool | None], REPLACES] = field(default=None)
    """Whether the (internal) group gets every processed build automatically; builds cannot be added to such a group. Apple sets it
    only at creation. None: that of an existing group; False for a new one."""
    feedback_enabled: Input[bool | None] = field(default=None)
    """Whether testers can send feedback from TestFlight. None: that of an existing group; True for a new one."""
    drops_testers: Input[bool] = field(default=False)
    """Allows a replacement, which removes every tester from the group."""


class BetaGroupState(BetaGroupArgs):
    """The group as Apple has it: `has_access_to_all_builds` and `feedback_enabled` are never None."""


class BetaGroupProvider(Provider[BetaGroupArgs, BetaGroupState]):
    Args = BetaGroupArgs
    State = BetaGroupState
    replaces_by_deleting_first = True  # groups are found by name, so there must not be two with the same name

    def validate(self, args: BetaGroupArgs, old: BetaGroupArgs | None) -> Iterable[Problem]:
        if args.has_access_to_all_builds and not args.internal:
            yield NOT_INTERNAL()
        if not args.name.strip():
            yield NAME_EMPTY()

    def changed_fields(self, state: BetaGroupState, args: BetaGroupArgs) -> Iterable[str]:
        fixed = _fixed(state, args)
        if fixed and not args.drops_testers and is_known(args):
            raise NEEDS_REPLACEMENT(fields=" and ".join(fixed), name=state.name)
        return [*fixed, *_changed_in_place(state, args)]

    def ensure(self, args: BetaGroupArgs) -> tuple[str, BetaGroupState]:
        store = client.AppStore(self.config)
        found = _find(store, args) or store.create(
            objects.BetaGroup,
            {
                "name": args.name,
                "is_internal_group": args.internal,
                "has_access_to_all_builds": args.has_access_to_all_builds if args.internal else None,
                "feedback_enabled": args.feedback_enabled is not False,
                "app": objects.App.ref(args.app_id),
            },
            doing=f"create tester group '{args.name}'",
            find=lambda: _find(store, args),
            too_early=_app_is_too_new,
        )
        state = _state(found, args)
        different = _fixed(state, args)
        if different:
            raise DIFFERENT_GROUP(app_id=args.app_id, name=args.name, fields=" and ".join(different))
        return found.id, self.sync(found.id, state, args)

    def observe(self, id: str, state: BetaGroupState) -> BetaGroupState | None:
        found = client.AppStore(self.config).get(objects.BetaGroup, id, doing=f"read tester group '{state.name}'")
        return _state(found, state) if found else None

    def sync(self, id: str, state: BetaGroupState, args: BetaGroupArgs) -> BetaGroupState:
        store = client.AppStore(self.config)
        changes = {name: getattr(args, name) for name in _changed_in_place(state, args)}
        if "name" in changes:
            other = _find(store, args)
            if other and other.id != id:
                raise NAME_TAKEN(app_id=args.app_id, name=args.name, id=other.id)
        if changes:
            doing = f"change {', '.join(changes)} of tester group '{state.name}'"
            store.update(objects.BetaGroup, id, changes, doing=doing)
        return replace(state, **changes, drops_testers=args.drops_testers)

    def remove(self, id: str, state: BetaGroupState) -> None:
        client.AppStore(self.config).delete(objects.BetaGroup.ref(id), doing=f"delete tester group '{state.name}'")


def _fixed(state: BetaGroupState, args: BetaGroupArgs) -> list[str]:
    """The arguments that Apple sets only at creation, and in which the group differs."""
    return [name for name in FIXED if getattr(args, name) not in (None, getattr(state, name))]


def _changed_in_place(state: BetaGroupState, args: BetaGroupArgs) -> list[str]:
    return [name for name in CHANGED_IN_PLACE if getattr(args, name) not in (None, getattr(state, name))]


def _app_is_too_new(error: "errors.AppStoreError") -> bool:
    """Apple refuses a group of an app that was created less than about half a minute ago."""
    return error.has("ENTITY_ERROR.RELATIONSHIP.INVALID")


def _find(store: "client.AppStore", args: BetaGroupArgs) -> "objects.BetaGroup | None":
    listed = store.list_all(
        objects.BetaGroup,
        doing=f"look up tester group '{args.name}'",
        query={"filter[app]": args.app_id, "filter[name]": args.name},
    )
    named = [group for group in listed if group.name == args.name]
    if len(named) > 1:
        ids = ", ".join(group.id for group in named)
        raise AMBIGUOUS(app_id=args.app_id, count=len(named), name=args.name, ids=ids)
    return named[0] if named else None


def _state(group: "objects.BetaGroup", args: BetaGroupArgs) -> BetaGroupState:
    return BetaGroupState(
        app_id=args.app_id,
        name=group.name,
        internal=group.is_internal_group,
        has_access_to_all_builds=group.has_access_to_all_builds,
        feedback_enabled=group.feedback_enabled,
        drops_testers=args.drops_testers,
    )


class BetaGroup(Resource[BetaGroupArgs], module="appstore", name="BetaGroup"):
    """A group of testers of an app. `id` is the group's ID at Apple."""

    provider = BetaGroupProvider
    app_id: Output[str]
    name: Output[str]
    internal: Output[bool]
    has_access_to_all_builds: Output[bool]
    feedback_enabled: Output[bool]
