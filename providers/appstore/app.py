"""App entries: adopted by exact bundle ID, because Apple lets nobody make or delete one by API (app-store-connect.md, 9)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pulumi
from pulumi import Input, Output

from providers import engine
from providers.appstore.api.client import AppStore, Entity
from providers.errors import ProviderError, TimedOut
from providers.properties import REPLACES
from providers.resource import Provider, Resource

PATCHABLE = {
    "primary_locale": "primaryLocale",
    "content_rights_declaration": "contentRightsDeclaration",
    "accessibility_url": "accessibilityUrl",
    "streamlined_purchasing_enabled": "streamlinedPurchasingEnabled",
    "subscription_status_url": "subscriptionStatusUrl",
    "subscription_status_url_version": "subscriptionStatusUrlVersion",
    "subscription_status_url_for_sandbox": "subscriptionStatusUrlForSandbox",
    "subscription_status_url_version_for_sandbox": "subscriptionStatusUrlVersionForSandbox",
}
"""Our arguments and Apple's attributes: all that Apple lets be changed, but for the bundle ID. None leaves one as it is."""


@dataclass(frozen=True, kw_only=True)
class AppArgs:
    bundle_id: Annotated[str, REPLACES]
    """The identifier, com.example.app; changing it adopts another app."""
    name: str
    """For the form, if the entry has still to be made. An existing entry keeps its own; the website changes it."""
    sku: str
    """As `name`; nobody can change it."""
    primary_locale: str | None = None
    content_rights_declaration: Literal["DOES_NOT_USE_THIRD_PARTY_CONTENT", "USES_THIRD_PARTY_CONTENT"] | None = None
    accessibility_url: str | None = None
    streamlined_purchasing_enabled: bool | None = None
    subscription_status_url: str | None = None
    subscription_status_url_version: Literal["V1", "V2"] | None = None
    subscription_status_url_for_sandbox: str | None = None
    subscription_status_url_version_for_sandbox: Literal["V1", "V2"] | None = None
    wait_seconds: int = 0
    """How long `up` waits for somebody to fill in the form, when the entry is missing. 0 says at once what to do."""


@dataclass(frozen=True, kw_only=True)
class AppState(AppArgs):
    """The entry as Apple has it, `name` and `sku` included."""


class AppProvider(Provider[AppArgs, AppState]):
    Args = AppArgs
    State = AppState

    def validate(self, args: AppArgs, old: AppArgs | None) -> Iterable[str]:
        if not 2 <= len(args.name) <= 30:
            yield f"the app name '{args.name}' has {len(args.name)} characters; Apple allows 2 to 30"

    def changed_fields(self, state: AppState, args: AppArgs) -> Iterable[str]:
        patched = (name for name in PATCHABLE if getattr(args, name) not in (None, getattr(state, name)))
        return [*patched, *(("bundle_id",) if state.bundle_id != args.bundle_id else ())]

    def ensure(self, args: AppArgs) -> tuple[str, AppState]:
        store = AppStore(self.config)
        found = _find(store, args.bundle_id)
        if found is None and args.wait_seconds:
            engine.note(f"{what_to_type(args)}. This run waits {args.wait_seconds} s for it")
            found = _wait_for(store, args)
        if found is None:
            raise ProviderError(f"{what_to_type(args)}. Then run up again")
        return found.id, self.sync(found.id, _state(found, args), args)

    def observe(self, id: str, state: AppState) -> AppState | None:
        found = AppStore(self.config).get(f"/v1/apps/{id}", doing=f"read the app entry of {state.bundle_id}")
        return _state(found, state) if found else None

    def sync(self, id: str, state: AppState, args: AppArgs) -> AppState:
        changes = {name: getattr(args, name) for name in self.changed_fields(state, args)}
        if changes:
            AppStore(self.config).update(
                Entity("apps", id),
                {PATCHABLE[name]: value for name, value in changes.items()},
                doing=f"change {', '.join(changes)} of the app {args.bundle_id}",
            )
        return replace(state, **changes, wait_seconds=args.wait_seconds)

    def remove(self, id: str, state: AppState) -> None:
        """Forgets the entry: Apple does not let it be deleted, and its bundle ID could never be used again if it were."""
        engine.note(
            f"the app entry of {state.bundle_id} (Apple ID {id}) stays in App Store Connect, which lets nobody delete it by "
            "API; the next up finds it again"
        )


def _find(store: AppStore, bundle_id: str) -> Entity | None:
    listed = store.list_all(
        "/v1/apps", doing=f"look up the app entry of {bundle_id}", **{"filter[bundleId]": bundle_id}
    )
    return next((each for each in listed if each["bundleId"] == bundle_id), None)


def _wait_for(store: AppStore, args: AppArgs) -> Entity:
    try:
        return store.poll(
            lambda: _find(store, args.bundle_id), seconds=args.wait_seconds, waiting_for="the app entry to be made"
        )
    except TimedOut as error:
        raise TimedOut(f"{error}; {what_to_type(args)}. Then run up again") from None


def what_to_type(args: AppArgs) -> str:
    """Why a person has to make the entry, and what goes into Apple's form."""
    return (
        f"there is no app with bundle ID {args.bundle_id} in App Store Connect, and Apple lets only people make one: "
        "at https://appstoreconnect.apple.com/apps choose + > New App and fill in "
        f"Platforms: iOS; Name: {args.name}; Primary Language: {args.primary_locale or 'en-US'}; "
        f"Bundle ID: {args.bundle_id}; SKU: {args.sku}; User Access: Full Access"
    )


def _state(entity: Entity, args: AppArgs) -> AppState:
    return AppState(
        bundle_id=entity["bundleId"],
        name=entity["name"],
        sku=entity["sku"],
        wait_seconds=args.wait_seconds,
        **{ours: entity[apples] for ours, apples in PATCHABLE.items() if getattr(args, ours) is not None},
    )


class App(Resource[Any], module="appstore", name="App"):
    """The app's entry in App Store Connect. `id` is Apple's app ID, a decimal number."""

    provider = AppProvider
    bundle_id: Output[str]
    name: Output[str]
    sku: Output[str]
    primary_locale: Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        bundle_id: Input[str],
        name: Input[str],
        sku: Input[str],
        primary_locale: Input[str] | None = None,
        content_rights_declaration: Input[str] | None = None,
        accessibility_url: Input[str] | None = None,
        streamlined_purchasing_enabled: Input[bool] | None = None,
        subscription_status_url: Input[str] | None = None,
        subscription_status_url_version: Input[str] | None = None,
        subscription_status_url_for_sandbox: Input[str] | None = None,
        subscription_status_url_version_for_sandbox: Input[str] | None = None,
        wait_seconds: Input[int] = 0,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "bundle_id": bundle_id,
            "name": name,
            "sku": sku,
            "primary_locale": primary_locale,
            "content_rights_declaration": content_rights_declaration,
            "accessibility_url": accessibility_url,
            "streamlined_purchasing_enabled": streamlined_purchasing_enabled,
            "subscription_status_url": subscription_status_url,
            "subscription_status_url_version": subscription_status_url_version,
            "subscription_status_url_for_sandbox": subscription_status_url_for_sandbox,
            "subscription_status_url_version_for_sandbox": subscription_status_url_version_for_sandbox,
            "wait_seconds": wait_seconds,
        }
        super().__init__(resource_name, arguments, opts)
