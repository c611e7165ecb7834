"""Bundle IDs and their capabilities."""

import re
import secrets
import string
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation
from rehearsal.cloud.store import Document

TEAM_ID = "SLLABS4TM1"
"""The team of the account; also the seed ID of its bundle IDs."""
PLATFORMS = ("IOS", "MAC_OS", "UNIVERSAL")
DEFAULT_CAPABILITIES = ("IN_APP_PURCHASE", "GAME_CENTER")
CAPABILITY_TYPES = tuple(
    """ICLOUD IN_APP_PURCHASE GAME_CENTER PUSH_NOTIFICATIONS WALLET INTER_APP_AUDIO MAPS ASSOCIATED_DOMAINS PERSONAL_VPN
    APP_GROUPS HEALTHKIT HOMEKIT WIRELESS_ACCESSORY_CONFIGURATION APPLE_PAY DATA_PROTECTION SIRIKIT NETWORK_EXTENSIONS
    MULTIPATH HOT_SPOT NFC_TAG_READING CLASSKIT AUTOFILL_CREDENTIAL_PROVIDER ACCESS_WIFI_INFORMATION
    NETWORK_CUSTOM_PROTOCOL COREMEDIA_HLS_LOW_LATENCY SYSTEM_EXTENSION_INSTALL USER_MANAGEMENT APPLE_ID_AUTH""".split()  # noqa: SIM905 (easier to read than a column of strings)
)
SETTINGS = {
    "ICLOUD": ("ICLOUD_VERSION", ("XCODE_6", "XCODE_5")),
    "DATA_PROTECTION": (
        "DATA_PROTECTION_PERMISSION_LEVEL",
        ("COMPLETE_PROTECTION", "PROTECTED_UNLESS_OPEN", "PROTECTED_UNTIL_FIRST_USER_AUTH"),
    ),
    "APPLE_ID_AUTH": ("APPLE_ID_AUTH_APP_CONSENT", ("PRIMARY_APP_CONSENT",)),
}
"""Capability types with a setting, and its options; the first one is the default."""


def short_id() -> str:
    """An id as bundle IDs, certificates and profiles have them."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(10))


class BundleIds(Kind):
    type = "bundleIds"
    provisioning = True
    attributes: ClassVar[Mapping[str, Any]] = {"name": None, "platform": None, "identifier": None, "seedId": TEAM_ID}
    required: ClassVar[Mapping[str, Accepts]] = {"identifier": str, "name": str, "platform": PLATFORMS}
    optional: ClassVar[Mapping[str, Accepts]] = {"seedId": str}
    updatable: ClassVar[Mapping[str, Accepts]] = {"name": str}
    relations: ClassVar[Mapping[str, Relation]] = {
        "profiles": Relation(target="profiles", many=True, inverse="bundleId"),
        "bundleIdCapabilities": Relation(target="bundleIdCapabilities", many=True, inverse="bundleId"),
        "app": Relation(target="apps"),
    }
    filters = ("name", "platform", "identifier", "seedId", "id")
    loose = ("name", "identifier")
    matches: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {"platform": {"UNIVERSAL": ("IOS", "MAC_OS")}}
    sorts = ("name", "platform", "identifier", "seedId", "id")
    includes = ("profiles", "bundleIdCapabilities", "app")

    def new_id(self) -> str:
        return short_id()

    def create(self, attributes: Document, links: Document) -> Document:
        identifier = attributes["identifier"]
        if not re.fullmatch(r"[A-Za-z0-9.-]+(\.\*)?", identifier):
            raise refusals.attribute_invalid(
                "identifier", f"'{identifier}' is not a valid value for the attribute 'identifier'"
            )
        taken = {bundle_id["attributes"]["identifier"] for bundle_id in self.records.all("bundleIds")}
        if identifier in taken or self.context.store.get("appstore.strangers", identifier):
            raise refusals.attribute_invalid(
                "identifier",
                f"An App ID with Identifier '{identifier}' is not available. Please enter a different string.",
            )
        _refuse_name(attributes["name"])
        # Apple returns UNIVERSAL for IOS: https://github.com/codemagic-ci-cd/cli-tools/pull/45
        platform = "MAC_OS" if attributes["platform"] == "MAC_OS" else "UNIVERSAL"
        given = {name: value for name, value in attributes.items() if value is not None}
        record = super().create({**given, "platform": platform}, links)
        for type in DEFAULT_CAPABILITIES:
            enable(self.records, record, type, [])
        return record

    def update(self, record: Document, attributes: Document) -> None:
        if "name" in attributes:
            _refuse_name(attributes["name"])
        super().update(record, attributes)

    def delete(self, record: Document) -> None:
        if self.related(record, "app"):
            raise refusals.entity(
                f"The bundle '{record['id']}' cannot be deleted. Delete all the Apps related to this bundle to proceed."
            )
        for capability in self.related(record, "bundleIdCapabilities"):
            self.records.delete(capability)
        super().delete(record)

    def related(self, record: Document, relation: str) -> list[Document]:
        if relation == "app":
            identifier = record["attributes"]["identifier"]
            return [app for app in self.records.all("apps") if app["attributes"]["bundleId"] == identifier]
        if relation == "profiles":  # includes profiles that only the bundle ID still lists
            profiles = self.context.store.all("appstore.profiles")
            return [profile for profile in profiles if profile["links"]["bundleId"] == record["id"]]
        return super().related(record, relation)


def _refuse_name(name: str | None) -> None:
    """https://github.com/Cap-go/capgo.app/issues/2385"""
    if not re.fullmatch(r"[A-Za-z0-9 ]+", name or ""):
        raise refusals.attribute_invalid("name", f"'{name}' is not a valid value for the attribute 'name'.")


class BundleIdCapabilities(Kind):
    type = "bundleIdCapabilities"
    operations = ("CREATE", "DELETE", "UPDATE")
    provisioning = True
    attributes: ClassVar[Mapping[str, Any]] = {"capabilityType": None, "settings": None}
    nulls = ("settings",)
    required: ClassVar[Mapping[str, Accepts]] = {"capabilityType": CAPABILITY_TYPES}
    optional: ClassVar[Mapping[str, Accepts]] = {"settings": list}
    updatable: ClassVar[Mapping[str, Accepts]] = {"capabilityType": CAPABILITY_TYPES, "settings": list}
    relations: ClassVar[Mapping[str, Relation]] = {
        "bundleId": Relation(target="bundleIds", create=True, required=True, linkage=(), related=False),
    }

    def create(self, attributes: Document, links: Document) -> Document:
        """Enabling a capability twice returns the existing one."""
        bundle_id = self.records.get("bundleIds", links["bundleId"])
        assert bundle_id
        type = attributes["capabilityType"]
        existing = self.records.get(self.type, f"{bundle_id['id']}_{type}")
        if existing:
            return existing
        capability = enable(self.records, bundle_id, type, attributes.get("settings") or [])
        mark_changed(self.records, bundle_id)
        return capability

    def update(self, record: Document, attributes: Document) -> None:
        if (
            attributes.get("capabilityType", record["attributes"]["capabilityType"])
            != (record["attributes"]["capabilityType"])
        ):
            raise refusals.attribute_not_allowed("capabilityType", "UPDATE")
        type = record["attributes"]["capabilityType"]
        super().update(record, {"settings": _settings(type, attributes.get("settings") or [])})
        self._mark_changed(record)

    def delete(self, record: Document) -> None:
        super().delete(record)
        self._mark_changed(record)

    def _mark_changed(self, record: Document) -> None:
        for bundle_id in self.related(record, "bundleId"):
            mark_changed(self.records, bundle_id)


def enable(records: Records, bundle_id: Document, type: str, settings: list[Any]) -> Document:
    attributes = {"capabilityType": type, "settings": _settings(type, settings)}
    return records.new(
        "bundleIdCapabilities", attributes, {"bundleId": bundle_id["id"]}, id=f"{bundle_id['id']}_{type}"
    )


def mark_changed(records: Records, bundle_id: Document) -> None:
    """Store the time of a capability change: older profiles become INVALID."""
    records.save({**bundle_id, "changed": records.context.clock.now()})


def _settings(type: str, given: list[Any]) -> list[Document] | None:
    """The settings of a type as Apple returns them, with every option. Refuses settings that the type does not have."""
    key, options = SETTINGS.get(type, ("", ()))
    chosen = options[0] if options else ""
    for setting in given:
        named = [found.get("key") for found in setting.get("options") or []] if isinstance(setting, dict) else []
        if not key or len(named) != 1 or setting.get("key") != key or named[0] not in options:
            raise refusals.attribute_invalid(
                "settings", f"'{setting}' is not a valid value for the attribute 'settings'"
            )
        chosen = named[0]
    listed = [{"key": option, "enabled": option == chosen} for option in options]
    return [{"key": key, "options": listed}] if key else None
