"""Provisioning profiles: property lists in a CMS message, as in an IPA, and as the API sends them (in base64)."""

import base64
import plistlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_CONSTRUCTED = 0x20
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The content of a profile. `kind` is one of App Store, Ad Hoc, Development, Enterprise."""

    name: str
    uuid: str
    kind: str
    team_id: str
    application_id: str
    """`<team>.<bundle ID>`, or `<team>.*`."""
    expires: datetime
    certificates: tuple[bytes, ...] = ()
    """DER."""

    def covers(self, bundle_id: str) -> bool:
        """Whether an app with that bundle ID can be signed with it."""
        named = self.application_id.partition(".")[2]
        return named in (bundle_id, "*") or (named.endswith(".*") and bundle_id.startswith(named[:-1]))


def read(content: bytes) -> Profile:
    """The content of an `embedded.mobileprovision`. Raises ValueError when it is not one."""
    values = plistlib.loads(_signed(content))
    entitlements = values.get("Entitlements") or {}
    if values.get("ProvisionsAllDevices"):
        kind = "Enterprise"
    elif entitlements.get("get-task-allow"):
        kind = "Development"
    else:
        kind = "Ad Hoc" if values.get("ProvisionedDevices") else "App Store"
    return Profile(
        name=str(values.get("Name", "")),
        uuid=str(values.get("UUID", "")),
        kind=kind,
        team_id=str((values.get("TeamIdentifier") or [""])[0]),
        application_id=str(entitlements.get("application-identifier", "")),
        expires=values["ExpirationDate"].replace(tzinfo=UTC),
        certificates=tuple(values.get("DeveloperCertificates") or ()),
    )


def read_encoded(encoded: str) -> Profile:
    """The same for a `profileContent` of the API."""
    return read(base64.b64decode(encoded))


def _signed(message: bytes) -> bytes:
    """The signed content of a CMS message (RFC 5652, section 5): ContentInfo > SignedData > EncapsulatedContentInfo > octets.

    The signature is not checked here; Apple checks it at the upload.
    """
    try:
        (_, content_info), *_ = _elements(message)
        (_, kind), (_, wrapped) = _elements(content_info)
        (_, signed_data), *_ = _elements(wrapped)
        _, _, (_, encapsulated), *_ = _elements(signed_data)
        _, (_, wrapped) = _elements(encapsulated)
        ((tag, octets),) = _elements(wrapped)
    except ValueError:
        raise ValueError("the profile is not a CMS message with content") from None
    if kind != _SIGNED_DATA:
        raise ValueError("the profile is not signed")
    return b"".join(piece for _, piece in _elements(octets)) if tag & _CONSTRUCTED else octets


def _elements(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """A sequence of DER elements, each as tag and content."""
    position = 0
    while position < len(encoded):
        if len(encoded) < position + 2:
            raise ValueError("a DER element is truncated")
        tag, length = encoded[position], encoded[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(encoded[position : position + octets])
            position += octets
        if position + length > len(encoded):
            raise ValueError("a DER element is truncated")
        yield tag, encoded[position : position + length]
        position += length
