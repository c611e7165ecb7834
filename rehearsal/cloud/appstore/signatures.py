"""Apple's checks of what a bundle is signed with: executable, profile, entitlements. The codes are those of `inspection.py`."""

import plistlib
import re
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import pkcs7

from rehearsal.cloud.appstore.builds import is_version, ordering
from rehearsal.cloud.appstore.bundle_ids import TEAM_ID

ARM64, IOS = 0x0100000C, 2
CODE_SIGNATURE, BUILD_VERSION = 0x1D, 0x32


def errors(
    info: dict[str, Any], content: Mapping[str, bytes], names: set[str], now: float
) -> Iterator[tuple[str, ...]]:
    """Those of the app. `content` are the files that are inspected."""
    program = content.get(str(info.get("CFBundleExecutable", "")), b"")
    unsealed = "_CodeSignature/CodeResources" not in names
    yield from program_errors(info, program)
    if unsealed:
        yield ("90034",)
    yield from profile_errors(info, content.get("embedded.mobileprovision", b""), program, now)


def program_errors(
    info: dict[str, Any], program: bytes, *, cpu: int = ARM64, system: int = IOS
) -> Iterator[tuple[str, ...]]:
    """Only a thin 64-bit executable is accepted: a universal one has another magic number."""
    if len(program) < 32 or struct.unpack_from("<II", program) != (0xFEEDFACF, cpu):
        yield "90087", "other architectures than arm64"
        return
    (count,), offset, signed = struct.unpack_from("<I", program, 16), 32, False
    for _ in range(count):
        command, size = struct.unpack_from("<II", program, offset)
        signed = signed or command == CODE_SIGNATURE
        if command == BUILD_VERSION:
            platform, minimum = struct.unpack_from("<II", program, offset + 8)
            if platform != system:
                yield "90087", "a simulator"
            declared = str(info.get("MinimumOSVersion", ""))
            if is_version(declared) and ordering(f"{minimum >> 16}.{minimum >> 8 & 0xFF}") != ordering(declared):
                yield ("90208",)
        offset += size
    if not signed:
        yield ("90034",)


def profile_errors(info: dict[str, Any], profile: bytes, program: bytes, now: float) -> Iterator[tuple[str, ...]]:
    if not profile:
        yield ("90174",)
        return
    try:
        pkcs7.load_der_pkcs7_certificates(profile)  # a profile needs a signature
        values = plistlib.loads(profile[profile.index(b"<?xml") : profile.index(b"</plist>") + 8])
    except ValueError:
        yield "90161", "It cannot be read"
        return
    entitlements = values["Entitlements"]
    if entitlements.get("get-task-allow") or values.keys() & {"ProvisionedDevices", "ProvisionsAllDevices"}:
        yield "90161", "It is for another kind of distribution"
    if values["ExpirationDate"].replace(tzinfo=UTC) <= datetime.fromtimestamp(now, UTC):
        yield "90161", "It has expired"
    if values["TeamIdentifier"] != [TEAM_ID]:
        yield "90159", TEAM_ID
    allowed = entitlements.get("application-identifier", "").partition(".")[2]
    bundle_id = str(info.get("CFBundleIdentifier"))
    if not re.fullmatch(re.escape(allowed).replace(r"\*", ".+"), bundle_id):
        yield "90164", bundle_id, "application-identifier"
    for key, value in entitlements_of(program).items():
        if key.startswith("com.apple.") and key not in entitlements:
            yield "90164", str(value), key


def entitlements_of(program: bytes) -> dict[str, Any]:
    """The entitlements in a signature: the property list after the magic number of their blob."""
    start = program.find(bytes.fromhex("fade7171"))
    return dict(plistlib.loads(program[start + 8 :])) if start >= 0 else {}
