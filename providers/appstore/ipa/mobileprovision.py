"""Provisioning profiles: property lists in a CMS message, as in an IPA, and as the API sends them (in base64)."""

import base64
from collections.abc import Iterator
from datetime import datetime

import msgspec

from providers.appstore.ipa import plist

MAX_BYTES = 1 << 20
MAX_DEPTH = 16
"""How deep elements are nested. The content of a CMS message is at depth six."""
MAX_PIECES_DEPTH = 2
"""How deep the pieces of an octet string are nested."""
_CONSTRUCTED = 0x20
_INDEFINITE = 0x80
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_GRANTED = (
    "application-identifier",
    "aps-environment",
    "keychain-access-groups",
    "com.apple.security.application-groups",
)
"""Entitlements that a profile has to grant, besides those that begin with `com.apple.developer.`"""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
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
    entitlements: plist.Plist = msgspec.field(default_factory=dict)
    """What it allows."""

    def covers(self, bundle_id: str) -> bool:
        """Whether an app with that bundle ID can be signed with it."""
        named = self.application_id.partition(".")[2]
        return named in (bundle_id, "*") or (named.endswith(".*") and bundle_id.startswith(named[:-1]))

    def refused(self, entitlements: plist.Plist) -> list[str]:
        """The keys of `entitlements`, of an app that is signed with it, whose values it does not allow."""
        granted = [key for key in entitlements if key in _GRANTED or key.startswith("com.apple.developer.")]
        return sorted(key for key in granted if not _allows(self.entitlements, entitlements, key))


def read(content: bytes) -> Profile:
    """The content of an `embedded.mobileprovision`. Raises ValueError when it is not one."""
    if len(content) > MAX_BYTES:
        raise ValueError("the profile is too large")
    values = plist.read(_signed(content), "the profile")
    entitlements = plist.table(values, "Entitlements")
    if values.get("ProvisionsAllDevices"):
        kind = "Enterprise"
    elif entitlements.get("get-task-allow"):
        kind = "Development"
    else:
        kind = "Ad Hoc" if values.get("ProvisionedDevices") else "App Store"
    expires = plist.date(values, "ExpirationDate")
    if expires is None:
        raise ValueError("the profile has no date of expiry")
    return Profile(
        name=plist.text(values, "Name"),
        uuid=plist.text(values, "UUID"),
        kind=kind,
        team_id=(plist.texts(values, "TeamIdentifier") or [""])[0],
        application_id=plist.text(entitlements, "application-identifier"),
        expires=expires,
        certificates=plist.blobs(values, "DeveloperCertificates"),
        entitlements=entitlements,
    )


def read_encoded(encoded: str) -> Profile:
    """The same for a `profileContent` of the API."""
    return read(base64.b64decode(encoded))


def _allows(profile: plist.Plist, entitlements: plist.Plist, key: str) -> bool:
    """A profile allows the same value, `*` any value, `TEAM.*` any text with that beginning, and a list each of its entries."""
    value = entitlements[key]
    if isinstance(value, bool):
        return not value or profile.get(key) is True
    patterns = plist.texts(profile, key)
    return all(
        any(found == pattern or (pattern.endswith("*") and found.startswith(pattern[:-1])) for pattern in patterns)
        for found in plist.texts(entitlements, key)
    )


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
        content = _joined(tag, octets)
    except ValueError:
        raise ValueError("the profile is not a CMS message with content") from None
    if kind != _SIGNED_DATA:
        raise ValueError("the profile is not signed")
    return content


def _joined(tag: int, octets: bytes, depth: int = 0) -> bytes:
    """An octet string, which BER can divide into pieces."""
    if not tag & _CONSTRUCTED:
        return octets
    if depth == MAX_PIECES_DEPTH:
        raise ValueError("nested too deep")
    return b"".join(_joined(inner, piece, depth + 1) for inner, piece in _elements(octets))


def _elements(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """A sequence of BER elements, each as tag and content. DER is a part of BER."""
    position = 0
    while position < len(encoded):
        tag, start, end, position = _element(encoded, position)
        yield tag, encoded[start:end]


def _element(encoded: bytes, position: int, depth: int = 0) -> tuple[int, int, int, int]:
    """The element at a position: its tag, where its content starts and ends, and where the next element starts."""
    if len(encoded) < position + 2 or depth > MAX_DEPTH:
        raise ValueError("an element is truncated, or nested too deep")
    tag, length = encoded[position], encoded[position + 1]
    start = position + 2
    if length == _INDEFINITE:
        end = start
        while encoded[end : end + 2] != b"\0\0":
            *_, end = _element(encoded, end, depth + 1)
        return tag, start, end, end + 2
    if length > _INDEFINITE:
        octets = length & 0x7F
        length = int.from_bytes(encoded[start : start + octets])
        start += octets
    if start + length > len(encoded):
        raise ValueError("an element is truncated")
    return tag, start, start + length, start + length
