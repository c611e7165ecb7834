"""Tester groups of an app, found by exact name. What Apple fixes at creation is refused to change unless asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers.appstore.api.client import AppStore, Entity
from providers.appstore.api.errors import AppStoreError
from providers.errors import ProviderError
from providers.properties import REPLACES, is_known
from providers.resource import Provider, Resource

FIXED = ("app_id", "internal", "has_access_to_all_builds")
CHANGED_IN_PLACE = {"name": "name", "feedback_enabled": "feedbackEnabled"}
"""Our arguments and Apple's attributes."""


@dataclass(frozen=True, kw_only=True)
class BetaGroupArgs:
    app_id: Annotated[str, REPLACES]
    name: str
    """Unique among the app's groups, which Apple does not check but this provider does. Changed in place."""
    internal: Annotated[bool, REPLACES] = True
    """An internal group holds up to 100 users of the team and needs no review. Fixed at creation."""
    has_access_to_all_builds: Annotated[bool | None, REPLACES] = None
    """Whether every processed build reaches the (internal) group by itself; such a group takes no build that is given to it.
    Fixed at creation. None: as the group has it that is there already; a new one is made without."""
    feedback_enabled: bool = True
    drops_testers: bool = False
    """Allows a replacement, which drops every tester from the group."""


@dataclass(frozen=True, kw_only=True)
class BetaGroupState(BetaGroupArgs):
    """The group as Apple has it: `has_access_to_all_builds` is always told."""


class BetaGroupProvider(Provider[BetaGroupArgs, BetaGroupState]):
    Args = BetaGroupArgs
    State = BetaGroupState
    replaces_by_deleting_first = True  # two groups of one name could not be told apart

    def validate(self, args: BetaGroupArgs, old: BetaGroupArgs | None) -> Iterable[str]:
        if args.has_access_to_all_builds and not args.internal:
            yield "has_access_to_all_builds is for internal groups"
        if not args.name.strip():
            yield "the name of the tester group is empty"

    def changed_fields(self, state: BetaGroupState, args: BetaGroupArgs) -> Iterable[str]:
        fixed = _fixed(state, args)
        if fixed and not args.drops_testers and is_known(args):
            raise ProviderError(
                f"Apple fixes {' and '.join(fixed)} of tester group '{state.name}' when it is made, and a new group would start "
                "without the testers of this one: set it back, or allow that for this one change (solos:dropTesters)"
            )
        return [*fixed, *(name for name in CHANGED_IN_PLACE if getattr(state, name) != getattr(args, name))]

    def ensure(self, args: BetaGroupArgs) -> tuple[str, BetaGroupState]:
        store = AppStore(self.config)
        found = _find(store, args) or store.create(
            "betaGroups",
            {
                "name": args.name,
                "isInternalGroup": args.internal,
                "hasAccessToAllBuilds": args.has_access_to_all_builds if args.internal else None,
                "feedbackEnabled": args.feedback_enabled,
            },
            {"app": ("apps", args.app_id)},
            doing=f"make tester group '{args.name}'",
            find=lambda: _find(store, args),
            too_early=_app_is_too_new,
        )
        state = _state(found, args)
        unfitting = _fixed(state, args)
        if unfitting:
            raise ProviderError(
                f"app {args.app_id} already has a tester group '{args.name}', but with other values of "
                f"{' and '.join(unfitting)}, which Apple fixes when a group is made: take its values over, choose another "
                "name, or delete it on the website (which drops its testers)"
            )
        return found.id, self.sync(found.id, state, args)

    def observe(self, id: str, state: BetaGroupState) -> BetaGroupState | None:
        found = AppStore(self.config).get(f"/v1/betaGroups/{id}", doing=f"read tester group '{state.name}'")
        return _state(found, state) if found else None

    def sync(self, id: str, state: BetaGroupState, args: BetaGroupArgs) -> BetaGroupState:
        store = AppStore(self.config)
        changes = {
            apples: getattr(args, name)
            for name, apples in CHANGED_IN_PLACE.items()
            if getattr(state, name) != getattr(args, name)
        }
        if "name" in changes:
            other = _find(store, args)
            if other and other.id != id:
                raise ProviderError(
                    f"app {args.app_id} has another tester group '{args.name}' ({other.id}): choose another name, or rename "
                    "or delete that one on the website"
                )
        if changes:
            store.update(
                Entity("betaGroups", id), changes, doing=f"change tester group '{state.name}' ({', '.join(changes)})"
            )
        return replace(state, name=args.name, feedback_enabled=args.feedback_enabled, drops_testers=args.drops_testers)

    def remove(self, id: str, state: BetaGroupState) -> None:
        AppStore(self.config).delete(f"/v1/betaGroups/{id}", doing=f"delete tester group '{state.name}'")


def _fixed(state: BetaGroupState, args: BetaGroupArgs) -> list[str]:
    """The arguments that Apple fixes at creation, and in which the group differs."""
    return [name for name in FIXED if getattr(args, name) not in (None, getattr(state, name))]


def _app_is_too_new(error: AppStoreError) -> bool:
    """Apple refuses groups of an app that was made less than about half a minute ago (app-store-connect.md, 7)."""
    return error.has("ENTITY_ERROR.RELATIONSHIP.INVALID")


def _find(store: AppStore, args: BetaGroupArgs) -> Entity | None:
    listed = store.list_all(
        "/v1/betaGroups",
        doing=f"look up tester group '{args.name}'",
        **{"filter[app]": args.app_id, "filter[name]": args.name},
    )
    named = [each for each in listed if each["name"] == args.name]
    if len(named) > 1:
        raise ProviderError(
            f"app {args.app_id} has {len(named)} tester groups named '{args.name}' ({', '.join(each.id for each in named)}), "
            "and there is no telling which one is meant: rename or delete all but one on the website"
        )
    return named[0] if named else None


def _state(entity: Entity, args: BetaGroupArgs) -> BetaGroupState:
    return BetaGroupState(
        app_id=args.app_id,
        name=entity["name"],
        internal=bool(entity["isInternalGroup"]),
        has_access_to_all_builds=bool(entity["hasAccessToAllBuilds"]),
        feedback_enabled=bool(entity["feedbackEnabled"]),
        drops_testers=args.drops_testers,
    )


class BetaGroup(Resource[Any], module="appstore", name="BetaGroup"):
    """A group of testers of an app. `id` is Apple's id of it."""

    provider = BetaGroupProvider
    app_id: Output[str]
    name: Output[str]
    internal: Output[bool]
    has_access_to_all_builds: Output[bool]
    feedback_enabled: Output[bool]

    def __init__(
        self,
        resource_name: str,
        *,
        app_id: Input[str],
        name: Input[str],
        internal: Input[bool] = True,
        has_access_to_all_builds: Input[bool] | None = None,
        feedback_enabled: Input[bool] = True,
        drops_testers: Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "app_id": app_id,
            "name": name,
            "internal": internal,
            "has_access_to_all_builds": has_access_to_all_builds,
            "feedback_enabled": feedback_enabled,
            "drops_testers": drops_testers,
        }
        super().__init__(resource_name, arguments, opts)
