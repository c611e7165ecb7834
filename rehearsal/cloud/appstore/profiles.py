"""Provisioning profiles (real and signed, with the capabilities of the bundle ID), and devices."""

import base64
import plistlib
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from rehearsal.cloud.appstore import authority, refusals
from rehearsal.cloud.appstore.bundle_ids import TEAM_ID, short_id
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Relation, date
from rehearsal.cloud.store import Document

TYPES = {
    "IOS_APP_STORE": ("DISTRIBUTION", "IOS_DISTRIBUTION"),
    "IOS_APP_ADHOC": ("DISTRIBUTION", "IOS_DISTRIBUTION"),
    "IOS_APP_DEVELOPMENT": ("DEVELOPMENT", "IOS_DEVELOPMENT"),
}
"""Profile types and the certificate types they accept. Other platforms are not implemented."""
MAX_NAME = 50
"""The website cuts longer names, and the API has answered 500 for them."""
ENTITLEMENTS: Mapping[str, Document] = {
    "PUSH_NOTIFICATIONS": {"aps-environment": "production"},
    "ASSOCIATED_DOMAINS": {"com.apple.developer.associated-domains": "*"},
    "APPLE_ID_AUTH": {"com.apple.developer.applesignin": ["Default"]},
    "DATA_PROTECTION": {"com.apple.developer.default-data-protection": "NSFileProtectionComplete"},
    "HEALTHKIT": {"com.apple.developer.healthkit": True},
}
"""Entitlements that capabilities add to a profile."""


class Profiles(Kind):
    type = "profiles"
    operations = ("CREATE", "DELETE", "GET_COLLECTION", "GET_INSTANCE")
    provisioning = True
    attributes: ClassVar[Mapping[str, Any]] = {
        "name": None,
        "platform": "IOS",
        "profileType": None,
        "profileState": "ACTIVE",
        "profileContent": None,
        "uuid": None,
        "createdDate": None,
        "expirationDate": None,
    }
    required: ClassVar[Mapping[str, Accepts]] = {"name": str, "profileType": tuple(TYPES)}
    relations: ClassVar[Mapping[str, Relation]] = {
        "bundleId": Relation(target="bundleIds", create=True, required=True),
        "certificates": Relation(target="certificates", many=True, create=True, required=True),
        "devices": Relation(target="devices", many=True, create=True),
    }
    filters = ("name", "profileType", "profileState", "id")
    sorts = ("name", "profileType", "profileState", "id")
    includes = ("bundleId", "devices", "certificates")

    def new_id(self) -> str:
        return short_id()

    def create(self, attributes: Document, links: Document) -> Document:
        name, type = attributes["name"], attributes["profileType"]
        if len(name) > MAX_NAME:
            raise refusals.refuse(500, "UNEXPECTED_ERROR", "An unexpected error occurred.")
        if type == "IOS_APP_STORE" and links.get("devices"):
            raise refusals.relationship_not_allowed(
                "devices", "No devices can be associated to Provisioning Profiles for the App Store."
            )
        bundle_id = self.records.get("bundleIds", links["bundleId"])
        assert bundle_id
        if self.context.clock.now() < bundle_id["made"] + self.context.delays.profile_too_early:
            raise refusals.entity(f"There is no App ID with ID '{bundle_id['id']}' on this team.")
        certificates = [each for id in links["certificates"] if (each := self.records.get("certificates", id))]
        for certificate in certificates:
            if certificate["attributes"]["certificateType"] not in TYPES[type] or self._is_past(certificate["expires"]):
                raise refusals.relationship_invalid("certificates", "certificates", certificate["id"])
        if any(profile["attributes"]["name"] == name for profile in self.context.store.all("appstore.profiles")):
            raise refusals.entity(
                f"Multiple profiles found with the name '{name}'.  Please remove the duplicate profiles and try again."
            )
        now = authority.now(self.context)
        expires = min([(now + authority.LIFETIME).timestamp(), *(found["expires"] for found in certificates)])
        shown = {
            "name": name,
            "profileType": type,
            "uuid": str(uuid.uuid4()),
            "createdDate": date(now.timestamp()),
            "expirationDate": date(expires),
        }
        content = self._content(shown, bundle_id, certificates, now)
        shown["profileContent"] = base64.b64encode(authority.sign(self.context, plistlib.dumps(content))).decode()
        return self.records.new(self.type, shown, links, expires=expires)

    def shown(self, record: Document) -> Document:
        state = "INVALID" if self._is_broken(record) or self._is_past(record["expires"]) else "ACTIVE"
        return {**super().shown(record), "profileState": state}

    def visible(self, record: Document) -> bool:
        """A zombie profile is listed by its bundle ID only, and its name stays taken."""
        return not record.get("zombie", False)

    def _is_broken(self, record: Document) -> bool:
        """Whether a revoked certificate or a capability change already makes the profile INVALID."""
        bundle_id = self.context.store.get("appstore.bundleIds", record["links"]["bundleId"])
        changed = (bundle_id or {}).get("changed", 0.0)
        times = [record.get("broken"), changed if changed > record["made"] else None, None if bundle_id else 0.0]
        return any(at is not None and self._is_past(at + self.context.delays.profile_invalid) for at in times)

    def _is_past(self, at: float) -> bool:
        return bool(self.context.clock.now() >= at)

    def _content(
        self, shown: Document, bundle_id: Document, certificates: list[Document], now: datetime
    ) -> dict[str, Any]:
        entitlements: Document = {
            "application-identifier": f"{TEAM_ID}.{bundle_id['attributes']['identifier']}",
            "com.apple.developer.team-identifier": TEAM_ID,
            "keychain-access-groups": [f"{TEAM_ID}.*"],
            "get-task-allow": shown["profileType"] == "IOS_APP_DEVELOPMENT",
        }
        if shown["profileType"] == "IOS_APP_STORE":
            entitlements["beta-reports-active"] = True
        for capability in self.records.all("bundleIdCapabilities", bundleId=bundle_id["id"]):
            entitlements |= ENTITLEMENTS.get(capability["attributes"]["capabilityType"], {})
        expires = datetime.fromisoformat(shown["expirationDate"])
        return {
            "AppIDName": bundle_id["attributes"]["name"],
            "ApplicationIdentifierPrefix": [TEAM_ID],
            "CreationDate": now.replace(tzinfo=None),
            "DeveloperCertificates": [
                base64.b64decode(certificate["attributes"]["certificateContent"]) for certificate in certificates
            ],
            "Entitlements": entitlements,
            "ExpirationDate": expires.replace(tzinfo=None),
            "IsXcodeManaged": False,
            "Name": shown["name"],
            "Platform": ["iOS"],
            "TeamIdentifier": [TEAM_ID],
            "TeamName": authority.ORGANIZATION,
            "TimeToLive": (expires - now) // timedelta(days=1),
            "UUID": shown["uuid"],
            "Version": 1,
        }


class Devices(Kind):
    """Devices cannot be deleted. They exist for the rule that an App Store profile accepts none."""

    type = "devices"
    operations = ("CREATE", "GET_COLLECTION", "GET_INSTANCE", "UPDATE")
    provisioning = True
    attributes: ClassVar[Mapping[str, Any]] = {
        "name": None,
        "platform": None,
        "udid": None,
        "deviceClass": "IPHONE",
        "status": "ENABLED",
        "model": None,
        "addedDate": None,
    }
    required: ClassVar[Mapping[str, Accepts]] = {"name": str, "platform": ("IOS", "MAC_OS", "UNIVERSAL"), "udid": str}
    updatable: ClassVar[Mapping[str, Accepts]] = {"name": str, "status": ("ENABLED", "DISABLED")}
    filters = ("name", "platform", "udid", "status", "id")
    sorts = ("name", "platform", "udid", "status", "id")

    def new_id(self) -> str:
        return short_id()
