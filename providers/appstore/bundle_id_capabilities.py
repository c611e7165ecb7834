"""What an app with a bundle ID may do: the capabilities that the stack names, as a set. All others are left alone.

Apple switches some on by itself (IN_APP_PURCHASE, often GAME_CENTER), shows types that its own specification does not know, and has
no call to read a single one (app-store-connect.md, section 10). Each change makes the bundle ID's profiles INVALID.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers.appstore.api.client import AppStore, Entity
from providers.properties import REPLACES
from providers.resource import Provider, Resource

DEFAULTS = ("IN_APP_PURCHASE", "GAME_CENTER")
"""Apple's own: they stay when the stack no longer names them."""
SETTINGS = {
    "ICLOUD_VERSION": ("XCODE_5", "XCODE_6"),
    "DATA_PROTECTION_PERMISSION_LEVEL": (
        "COMPLETE_PROTECTION",
        "PROTECTED_UNLESS_OPEN",
        "PROTECTED_UNTIL_FIRST_USER_AUTH",
    ),
    "APPLE_ID_AUTH_APP_CONSENT": ("PRIMARY_APP_CONSENT",),
}
"""The settings that there are, and the options of each."""
MOST = 50
"""As many of a bundle ID's capabilities as Apple sends along with it; it knows about thirty."""

Capabilities = dict[str, dict[str, str]]
"""Type to settings: `{"PUSH_NOTIFICATIONS": {}, "ICLOUD": {"ICLOUD_VERSION": "XCODE_6"}}`."""


@dataclass(frozen=True, kw_only=True)
class BundleIdCapabilitiesArgs:
    bundle_id: Annotated[str, REPLACES]
    """Apple's id of the bundle ID."""
    capabilities: Capabilities = field(default_factory=dict)
    """Changed in place: what is named is switched on, what no longer is, off. Settings that are not named stay as they are."""


@dataclass(frozen=True, kw_only=True)
class BundleIdCapabilitiesState(BundleIdCapabilitiesArgs):
    others: list[str] = field(default_factory=list)
    """Types that are on and not the stack's."""


class BundleIdCapabilitiesProvider(Provider[BundleIdCapabilitiesArgs, BundleIdCapabilitiesState]):
    Args = BundleIdCapabilitiesArgs
    State = BundleIdCapabilitiesState

    def validate(self, args: BundleIdCapabilitiesArgs, old: BundleIdCapabilitiesArgs | None) -> Iterable[str]:
        return problems(args.capabilities)

    def ensure(self, args: BundleIdCapabilitiesArgs) -> tuple[str, BundleIdCapabilitiesState]:
        return args.bundle_id, self._reconcile(args, to_disable=())

    def observe(self, id: str, state: BundleIdCapabilitiesState) -> BundleIdCapabilitiesState | None:
        found = _read(AppStore(self.config), state.bundle_id)
        return None if found is None else _state(state, found)

    def sync(
        self, id: str, state: BundleIdCapabilitiesState, args: BundleIdCapabilitiesArgs
    ) -> BundleIdCapabilitiesState:
        return self._reconcile(args, to_disable=state.capabilities.keys() - args.capabilities.keys() - {*DEFAULTS})

    def remove(self, id: str, state: BundleIdCapabilitiesState) -> None:
        """They go with the bundle ID; where an app keeps that one, the app keeps what it may do."""

    def _reconcile(self, args: BundleIdCapabilitiesArgs, to_disable: Iterable[str]) -> BundleIdCapabilitiesState:
        store = AppStore(self.config)
        found = _read(store, args.bundle_id) or {}
        for type, settings in sorted(args.capabilities.items()):
            if type not in found:
                found[type] = self._enable(store, args.bundle_id, type, settings)
            elif _chosen(found[type], settings) != settings:
                found[type] = self._change(store, args.bundle_id, found[type], settings)
        for type in sorted(found.keys() & set(to_disable)):
            store.delete(f"/v1/bundleIdCapabilities/{found.pop(type).id}", doing=f"switch capability {type} off")
        return _state(
            replace(BundleIdCapabilitiesState(bundle_id=args.bundle_id), capabilities=args.capabilities), found
        )

    def _enable(self, store: AppStore, bundle_id: str, type: str, settings: dict[str, str]) -> Entity:
        return store.create(
            "bundleIdCapabilities",
            {"capabilityType": type, "settings": _as_apple_writes(settings) or None},
            {"bundleId": ("bundleIds", bundle_id)},
            doing=f"switch capability {type} on",
            find=lambda: self._if_set(store, bundle_id, type, settings),
        )

    def _change(self, store: AppStore, bundle_id: str, entity: Entity, settings: dict[str, str]) -> Entity:
        return store.update(
            entity,
            {"settings": _as_apple_writes(settings)},
            doing=f"change the settings of capability {entity['capabilityType']}",
            done=lambda: self._if_set(store, bundle_id, entity["capabilityType"], settings),
        )

    def _if_set(self, store: AppStore, bundle_id: str, type: str, settings: dict[str, str]) -> Entity | None:
        found = (_read(store, bundle_id) or {}).get(type)
        return found if found and _chosen(found, settings) == settings else None


def problems(capabilities: Capabilities) -> Iterable[str]:
    """What is wrong with a set of capabilities. Types are not looked up in a list: Apple adds some every year."""
    for type, settings in capabilities.items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", type):
            yield f"{type!r} is no type of capability: Apple writes them like PUSH_NOTIFICATIONS"
        for key, option in settings.items():
            if key not in SETTINGS:
                yield f"{type} has no setting {key}; there are {', '.join(SETTINGS)}"
            elif option not in SETTINGS[key]:
                yield f"{key} of {type} is {option}; it can be {' or '.join(SETTINGS[key])}"


def _read(store: AppStore, bundle_id: str) -> dict[str, Entity] | None:
    """The capabilities that are on, by type; None when there is no such bundle ID."""
    found = store.get(
        f"/v1/bundleIds/{bundle_id}",
        doing=f"read the capabilities of bundle ID {bundle_id}",
        include="bundleIdCapabilities",
        **{"limit[bundleIdCapabilities]": MOST},
    )
    if found is None:
        return None
    ours = (found.included[id] for id in found.linked("bundleIdCapabilities"))
    return {each["capabilityType"]: each for each in ours}


def _state(args: BundleIdCapabilitiesArgs, found: dict[str, Entity]) -> BundleIdCapabilitiesState:
    return BundleIdCapabilitiesState(
        bundle_id=args.bundle_id,
        capabilities={
            type: _chosen(found[type], settings) for type, settings in args.capabilities.items() if type in found
        },
        others=sorted(found.keys() - args.capabilities.keys()),
    )


def _chosen(entity: Entity, settings: dict[str, str]) -> dict[str, str]:
    """What is chosen for those settings. Of the options that Apple lists, the enabled one counts; of a single one, that."""
    chosen: dict[str, str] = {}
    for setting in entity["settings"] or []:
        options = setting.get("options") or []
        enabled = [each["key"] for each in options if each.get("enabled", len(options) == 1)]
        if setting["key"] in settings and enabled:
            chosen[setting["key"]] = enabled[0]
    return chosen


def _as_apple_writes(settings: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "options": [{"key": option, "enabled": True}]} for key, option in settings.items()]


class BundleIdCapabilities(Resource[Any], module="appstore", name="BundleIdCapabilities"):
    """The capabilities of a bundle ID that are the stack's; its id is the bundle ID's."""

    provider = BundleIdCapabilitiesProvider
    bundle_id: Output[str]
    capabilities: Output[dict[str, dict[str, str]]]
    others: Output[list[str]]

    def __init__(
        self,
        resource_name: str,
        *,
        bundle_id: Input[str],
        capabilities: Input[Capabilities],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, {"bundle_id": bundle_id, "capabilities": capabilities}, opts)
