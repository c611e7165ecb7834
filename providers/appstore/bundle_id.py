"""Bundle IDs: adopted by exact identifier, renamed in place, never taken from an app that uses one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pulumi
from pulumi import Input, Output

from providers import engine
from providers.appstore.client import AppStore, Entity, patiently
from providers.appstore.errors import AppStoreError
from providers.errors import ProviderError
from providers.properties import REPLACES
from providers.resource import Provider, Resource

Platform = Literal["IOS", "MAC_OS", "UNIVERSAL"]


@dataclass(frozen=True, kw_only=True)
class BundleIdArgs:
    identifier: Annotated[str, REPLACES]
    """Reverse domain name, unique in the world: com.example.app. Refused to change while an app uses it, or may use it."""
    name: str
    """What the developer website calls it. Changed in place."""
    platform: Annotated[Platform, REPLACES] = "IOS"


@dataclass(frozen=True, kw_only=True)
class BundleIdState(BundleIdArgs):
    app_id: str | None = None
    """The app that uses it, as refresh or adoption saw it; empty when there was none. None: nobody has looked since it was
    made, and the app entry is made after its bundle ID."""


class BundleIdProvider(Provider[BundleIdArgs, BundleIdState]):
    Args = BundleIdArgs
    State = BundleIdState

    def validate(self, args: BundleIdArgs, old: BundleIdArgs | None) -> Iterable[str]:
        if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", args.identifier):
            yield f"'{args.identifier}' is no bundle ID: letters, digits and hyphens, in parts joined by dots"

    def differing(self, state: BundleIdState, args: BundleIdArgs) -> Iterable[str]:
        differing = set(super().differing(state, args))
        if differing - {"name"} and state.app_id != "":
            used = f"is used by app {state.app_id}" if state.app_id else "may be used by an app by now"
            otherwise = (
                "" if state.app_id else "; if no app uses it, `pulumi refresh` sees that, and lets it be replaced"
            )
            raise ProviderError(
                f"bundle ID {state.identifier} {used}, and Apple binds an app to its bundle ID for ever: set it back, or "
                f"launch {args.identifier} as a stack of its own{otherwise}"
            )
        return differing

    def ensure(self, args: BundleIdArgs) -> tuple[str, BundleIdState]:
        store = AppStore(self.config)
        found = _find(store, args.identifier) or _register(store, args)
        state = _state(found, args.platform)
        if state.platform != args.platform:
            raise ProviderError(
                f"bundle ID {args.identifier} is registered for {state.platform}, not for {args.platform}, which Apple fixes "
                "when one is made: choose another one, or delete it on the developer website if nothing uses it"
            )
        state = self.sync(found.id, state, args)
        return found.id, replace(state, app_id=state.app_id or None)

    def observe(self, id: str, state: BundleIdState) -> BundleIdState | None:
        found = AppStore(self.config).get(
            f"/v1/bundleIds/{id}", doing=f"read bundle ID {state.identifier}", include="app"
        )
        return _state(found, state.platform) if found else None

    def sync(self, id: str, state: BundleIdState, args: BundleIdArgs) -> BundleIdState:
        if state.name == args.name:
            return state
        AppStore(self.config).update(
            Entity("bundleIds", id), {"name": args.name}, doing=f"rename bundle ID {args.identifier} to '{args.name}'"
        )
        return replace(state, name=args.name)

    def remove(self, id: str, state: BundleIdState) -> None:
        """Apple keeps a bundle ID that an app uses, and apps cannot be deleted by the API: such a one is left as it is."""
        try:
            AppStore(self.config).delete(f"/v1/bundleIds/{id}", doing=f"delete bundle ID {state.identifier}")
        except AppStoreError as error:
            if error.status != 409 or not error.says("cannot be deleted"):
                raise
            engine.note(f"bundle ID {state.identifier} stays with Apple, because an app uses it")


def _register(store: AppStore, args: BundleIdArgs) -> Entity:
    doing = f"register bundle ID {args.identifier}"
    try:
        return store.create(
            "bundleIds",
            {"identifier": args.identifier, "name": args.name, "platform": args.platform},
            doing=doing,
            find=lambda: _find(store, args.identifier),
        )
    except AppStoreError as error:
        if not error.says("is not available"):
            raise
        # Apple's answer is the same whether we have it or a stranger does. Ours shows up, if an earlier run has just made it.
        found = patiently(lambda: _find(store, args.identifier))
        if found is None:
            raise ProviderError(
                f"cannot {doing}: another team has it (bundle IDs are unique in the world); choose another one"
            ) from None
        return found


def _find(store: AppStore, identifier: str) -> Entity | None:
    listed = store.list_all(
        "/v1/bundleIds", doing=f"look up bundle ID {identifier}", include="app", **{"filter[identifier]": identifier}
    )
    return next((each for each in listed if each["identifier"] == identifier), None)


def _state(entity: Entity, wanted: Platform) -> BundleIdState:
    """Apple echoes UNIVERSAL for what was made as IOS (codemagic PR #45), so that one counts as any platform."""
    platform = wanted if entity["platform"] == "UNIVERSAL" else entity["platform"]
    return BundleIdState(
        identifier=entity["identifier"],
        name=entity["name"],
        platform=platform,
        app_id=next(iter(entity.linked("app")), ""),
    )


class BundleId(Resource, module="appstore", name="BundleId"):
    """A bundle ID of the team. `id` is Apple's id of it, which profiles and capabilities refer to."""

    provider = BundleIdProvider
    identifier: Output[str]
    name: Output[str]
    platform: Output[str]
    app_id: Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        identifier: Input[str],
        name: Input[str],
        platform: Input[str] = "IOS",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {"identifier": identifier, "name": name, "platform": platform}
        super().__init__(resource_name, arguments, opts)
