"""Signing certificates: real ones, for the key in the CSR. Deleting a certificate revokes it."""

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rehearsal.cloud.appstore import authority, refusals
from rehearsal.cloud.appstore.bundle_ids import TEAM_ID, short_id
from rehearsal.cloud.appstore.kinds import Accepts, Kind, date
from rehearsal.cloud.store import Document

MAX_CERTIFICATES = 3
"""Unexpired certificates of one type for a team. `POST {control}/appstore/settings` changes this and the next value."""
DAYS = 365
"""Lifetime of a certificate, in days."""
TYPES = {
    "DISTRIBUTION": ("Apple Distribution", "Distribution"),
    "IOS_DISTRIBUTION": ("iPhone Distribution", "iOS Distribution"),
    "DEVELOPMENT": ("Apple Development", "Development"),
    "IOS_DEVELOPMENT": ("iPhone Developer", "iOS Development"),
}
"""Common name of a certificate, and the name of its type in errors. Other products are not implemented."""


class Certificates(Kind):
    type = "certificates"
    provisioning = True
    attributes: ClassVar[Mapping[str, Any]] = {
        "name": None,
        "certificateType": None,
        "displayName": None,
        "serialNumber": None,
        "platform": None,
        "expirationDate": None,
        "certificateContent": None,
        "csrContent": None,
        "activated": None,
    }
    nulls = ("platform",)
    required: ClassVar[Mapping[str, Accepts]] = {"csrContent": str, "certificateType": tuple(TYPES)}
    updatable: ClassVar[Mapping[str, Accepts]] = {"activated": bool}
    filters = ("displayName", "certificateType", "serialNumber", "id")
    sorts = ("displayName", "certificateType", "serialNumber", "id")

    def new_id(self) -> str:
        return short_id()

    def create(self, attributes: Document, links: Document) -> Document:
        type = attributes["certificateType"]
        key = _key_of(attributes["csrContent"])
        name, label = TYPES[type]
        if len([found for found in self._current() if found["attributes"]["certificateType"] == type]) >= self._setting(
            "certificate_limit", MAX_CERTIFICATES
        ):
            raise refusals.entity(f"You already have a current {label} certificate or a pending certificate request.")
        certificate = authority.issue(
            self.context, key, name, TEAM_ID, timedelta(days=self._setting("certificate_days", DAYS))
        )
        shown = {
            "name": f"{name}: {authority.ORGANIZATION}",
            "certificateType": type,
            "csrContent": attributes["csrContent"],
            "displayName": authority.ORGANIZATION,
            "serialNumber": f"{certificate.serial_number:X}",
            "platform": "IOS" if type.startswith("IOS_") else None,
            "expirationDate": date(certificate.not_valid_after_utc.timestamp()),
            "certificateContent": base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode(),
        }
        return self.records.new(self.type, shown, expires=certificate.not_valid_after_utc.timestamp())

    def delete(self, record: Document) -> None:
        """Profiles with this certificate become INVALID after a delay."""
        for profile in self.records.all("profiles", certificates=record["id"]):
            self.records.save({**profile, "broken": self.context.clock.now()})
        super().delete(record)

    def _current(self) -> list[Document]:
        """The certificates that count against the limit."""
        now = self.context.clock.now()
        return [certificate for certificate in self.records.all(self.type) if certificate["expires"] > now]

    def _setting(self, name: str, default: int) -> int:
        return int((self.context.store.get("appstore.settings", "limits") or {}).get(name, default))


def _key_of(text: str) -> rsa.RSAPublicKey:
    """The public key of a certificate signing request in PEM, with or without the header lines."""
    body = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        request = x509.load_der_x509_csr(base64.b64decode(body, validate=True))
        valid = request.is_signature_valid
    except (ValueError, binascii.Error):
        raise _invalid() from None
    key = request.public_key()
    if not valid or not isinstance(key, rsa.RSAPublicKey) or key.key_size != 2048:
        raise _invalid()
    return key


def _invalid() -> Exception:
    return refusals.attribute_invalid("csrContent", "Invalid Certificate Signing Request. Please upload a valid CSR.")
