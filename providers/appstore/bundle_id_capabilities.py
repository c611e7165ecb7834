"""The capabilities of a bundle ID that the stack lists, as one resource. All others stay unchanged.

Apple enables some by itself (IN_APP_PURCHASE, often GAME_CENTER), returns types that its own specification does not list, and has no
call to read a single one (https://developer.apple.com/documentation/appstoreconnectapi/bundle-id-capabilities). Each change makes the
bundle ID's profiles INVALID.
"""

import re
from collections.abc import Iterable
from typing import Annotated

from pulumi import Output

from providers.appstore.api import client, objects
from providers.errors import Problem, ProblemText
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

DEFAULTS = ("IN_APP_PURCHASE", "GAME_CENTER")
"""Enabled by Apple: they stay enabled when the stack no longer lists them."""
SETTINGS = {
    "ICLOUD_VERSION": ("XCODE_5", "XCODE_6"),
    "DATA_PROTECTION_PERMISSION_LEVEL": (
        "COMPLETE_PROTECTION",
        "PROTECTED_UNLESS_OPEN",
        "PROTECTED_UNTIL_FIRST_USER_AUTH",
    ),
    "APPLE_ID_AUTH_APP_CONSENT": ("PRIMARY_APP_CONSENT",),
}
"""All settings, and the options of each."""
MAX_INCLUDED = 50
"""How many capabilities Apple includes in the response for a bundle ID. There are about thirty types."""

NOT_A_TYPE = ProblemText(
    "capabilities", "'{type}' is not a capability type", remedy="write it as Apple does: PUSH_NOTIFICATIONS"
)
NOT_A_SETTING = ProblemText("capabilities", "{type} has no setting {setting}", remedy="use {known}")
NOT_AN_OPTION = ProblemText("capabilities", "{setting} of {type} is {option}", remedy="use {known}")

Capabilities = dict[str, dict[str, str]]
"""Type to settings: `{"PUSH_NOTIFICATIONS": {}, "ICLOUD": {"ICLOUD_VERSION": "XCODE_6"}}`."""


class BundleIdCapabilitiesArgs(Record):
    bundle_id: Annotated[Input[str], REPLACES]
    """Apple's id of the bundle ID."""
    capabilities: Input[Capabilities] = field(default_factory=dict)
    """Changed in place: listed types are enabled, types that are no longer listed are disabled. Settings that are not listed stay as
    they are."""


class BundleIdCapabilitiesState(BundleIdCapabilitiesArgs):
    others: list[str]
    """Types that are enabled and not listed."""


class BundleIdCapabilitiesProvider(Provider[BundleIdCapabilitiesArgs, BundleIdCapabilitiesState]):
    Args = BundleIdCapabilitiesArgs
    State = BundleIdCapabilitiesState

    def validate(self, args: BundleIdCapabilitiesArgs, old: BundleIdCapabilitiesArgs | None) -> Iterable[Problem]:
        return problems(args.capabilities)

    def ensure(self, args: BundleIdCapabilitiesArgs) -> tuple[str, BundleIdCapabilitiesState]:
        return args.bundle_id, self._converge(args, to_disable=())

    def observe(self, id: str, state: BundleIdCapabilitiesState) -> BundleIdCapabilitiesState | None:
        found = _read(client.AppStore(self.config), state.bundle_id)
        return None if found is None else _state(state, found)

    def sync(
        self, id: str, state: BundleIdCapabilitiesState, args: BundleIdCapabilitiesArgs
    ) -> BundleIdCapabilitiesState:
        return self._converge(args, to_disable=state.capabilities.keys() - args.capabilities.keys() - {*DEFAULTS})

    def remove(self, id: str, state: BundleIdCapabilitiesState) -> None:
        """Does nothing: they are deleted with the bundle ID. A bundle ID that an app keeps also keeps its capabilities."""

    def _converge(self, args: BundleIdCapabilitiesArgs, to_disable: Iterable[str]) -> BundleIdCapabilitiesState:
        store = client.AppStore(self.config)
        found = _read(store, args.bundle_id) or {}
        for type, settings in sorted(args.capabilities.items()):
            if type not in found:
                found[type] = _enable(store, args.bundle_id, type, settings)
            elif _chosen(found[type], settings) != settings:
                found[type] = _change(store, args.bundle_id, found[type], settings)
        for type in sorted(found.keys() & set(to_disable)):
            store.delete(objects.BundleIdCapability.ref(found.pop(type).id), doing=f"disable capability {type}")
        return _state(args, found)


def problems(capabilities: Capabilities) -> Iterable[Problem]:
    """What is wrong with a set of capabilities. Types are not compared with a list: Apple adds some every year."""
    for type, settings in capabilities.items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", type):
            yield NOT_A_TYPE(type=type)
        for setting, option in settings.items():
            if setting not in SETTINGS:
                yield NOT_A_SETTING(type=type, setting=setting, known=" or ".join(SETTINGS))
            elif option not in SETTINGS[setting]:
                yield NOT_AN_OPTION(type=type, setting=setting, option=option, known=" or ".join(SETTINGS[setting]))


def _enable(
    store: "client.AppStore", bundle_id: str, type: str, settings: dict[str, str]
) -> "objects.BundleIdCapability":
    return store.create(
        objects.BundleIdCapability,
        {
            "capability_type": type,
            "settings": _as_settings(settings) or None,
            "bundle_id": objects.BundleId.ref(bundle_id),
        },
        doing=f"enable capability {type}",
        find=lambda: _if_set(store, bundle_id, type, settings),
    )


def _change(
    store: "client.AppStore", bundle_id: str, capability: "objects.BundleIdCapability", settings: dict[str, str]
) -> "objects.BundleIdCapability":
    type = capability.capability_type
    return store.update(
        objects.BundleIdCapability,
        capability.id,
        {"settings": _as_settings(settings)},
        doing=f"change the settings of capability {type}",
        done=lambda: _if_set(store, bundle_id, type, settings),
    )


def _if_set(
    store: "client.AppStore", bundle_id: str, type: str, settings: dict[str, str]
) -> "objects.BundleIdCapability | None":
    found = (_read(store, bundle_id) or {}).get(type)
    return found if found and _chosen(found, settings) == settings else None


def _read(store: "client.AppStore", bundle_id: str) -> "dict[str, objects.BundleIdCapability] | None":
    """The enabled capabilities by type; None when the bundle ID does not exist."""
    found = store.get(
        objects.BundleIdWithCapabilities,
        bundle_id,
        doing=f"read the capabilities of bundle ID {bundle_id}",
        query={"include": "bundleIdCapabilities", "limit[bundleIdCapabilities]": MAX_INCLUDED},
    )
    return {capability.capability_type: capability for capability in found.bundle_id_capabilities} if found else None


def _state(args: BundleIdCapabilitiesArgs, found: "dict[str, objects.BundleIdCapability]") -> BundleIdCapabilitiesState:
    return BundleIdCapabilitiesState(
        bundle_id=args.bundle_id,
        capabilities={
            type: _chosen(found[type], settings) for type, settings in args.capabilities.items() if type in found
        },
        others=sorted(found.keys() - args.capabilities.keys()),
    )


def _chosen(capability: "objects.BundleIdCapability", settings: dict[str, str]) -> dict[str, str]:
    """The chosen option of each of `settings`: the enabled one of several options, or the only one."""
    chosen: dict[str, str] = {}
    for setting in capability.settings:
        only = len(setting.options) == 1
        enabled = [option.key for option in setting.options if (only if option.enabled is None else option.enabled)]
        if setting.key in settings and enabled:
            chosen[setting.key] = enabled[0]
    return chosen


def _as_settings(settings: dict[str, str]) -> "list[objects.CapabilitySetting]":
    return [
        objects.CapabilitySetting(key=key, options=[objects.CapabilityOption(key=option, enabled=True)])
        for key, option in settings.items()
    ]


class BundleIdCapabilities(Resource[BundleIdCapabilitiesArgs], module="appstore", name="BundleIdCapabilities"):
    """The capabilities of a bundle ID that the stack lists. `id` is that of the bundle ID."""

    provider = BundleIdCapabilitiesProvider
    bundle_id: Output[str]
    capabilities: Output[dict[str, dict[str, str]]]
    others: Output[list[str]]
