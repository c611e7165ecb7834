"""Mach-O executables: the processors and systems that one is built for, from its first bytes (Apple's `mach-o/loader.h`), and the
entitlements in its signature (`CodeDirectory.h`). Raises ValueError or struct.error for anything else."""

import struct

import msgspec

from providers.appstore.ipa import plist

HEAD_BYTES = 1 << 20
"""How much of a file `read` needs: all headers and load commands of a real program fit into it."""
MAX_SLICES = 16
MAX_COMMANDS = 10_000
MAX_BLOBS = 64
MAX_SIGNATURE = 4 << 20
"""Bytes of a signature that are read. Entitlements are among its first blobs."""
IOS, IOS_SIMULATOR = 2, 7
SIMULATORS = (IOS_SIMULATOR, 8, 9, 12)
"""Platforms of iOS, tvOS, watchOS and visionOS simulators."""
_ARCHITECTURES = {
    0x0100000C: "arm64",
    0x0200000C: "arm64_32",
    0x01000007: "x86_64",
    0x0000000C: "armv7",
    0x00000007: "i386",
}
_FAT, _THIN_64, _THIN_32 = 0xCAFEBABE, 0xFEEDFACF, 0xFEEDFACE
_LC_CODE_SIGNATURE, _LC_BUILD_VERSION = 0x1D, 0x32
_SIGNATURE, _ENTITLEMENTS = 0xFADE0CC0, 0xFADE7171


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A program for one architecture. `platform`, `minimum_os` and `sdk` are empty if it has no build version."""

    architecture: str
    signed: bool
    signature: tuple[int, int] | None = None
    """Where its signature is: offset in the file and length; None if that is not known."""
    platform: int | None = None
    minimum_os: str = ""
    sdk: str = ""


def read(head: bytes) -> tuple[Slice, ...]:
    """The slices of an executable. Raises ValueError or struct.error when it is not one."""
    if struct.unpack_from(">I", head)[0] != _FAT:
        return (_slice(head, 0),)
    (count,) = struct.unpack_from(">I", head, 4)
    if count > MAX_SLICES:
        raise ValueError(f"its executable has {count} architectures")
    found = []
    for index in range(count):
        cpu, _, offset, _, _ = struct.unpack_from(">IIIII", head, 8 + 20 * index)
        whole = offset + 32 <= len(head)
        # Of a slice that begins after what was read, only what the fat header contains is known.
        found.append(_slice(head, offset) if whole else Slice(architecture=_architecture(cpu), signed=True))
    return tuple(found)


def entitlements(signature: bytes) -> plist.Plist | None:
    """What an executable is entitled to, by its signature; None if that has no entitlements, or is cut off."""
    magic, _, count = struct.unpack_from(">III", signature.ljust(12, b"\0"))
    if magic != _SIGNATURE:
        return None
    for index in range(min(count, MAX_BLOBS)):
        if len(signature) < 20 + 8 * index:
            break
        (offset,) = struct.unpack_from(">4xI", signature, 12 + 8 * index)
        magic, length = struct.unpack_from(">II", signature[offset : offset + 8].ljust(8, b"\0"))
        if magic == _ENTITLEMENTS:
            return plist.read(signature[offset + 8 : offset + length], "the entitlements of its executable")
    return None


def _slice(head: bytes, start: int) -> Slice:
    magic, cpu, _, _, commands, _, _ = struct.unpack_from("<IIIIIII", head, start)
    if magic not in (_THIN_64, _THIN_32):
        raise ValueError("its executable is not a Mach-O file")
    if commands > MAX_COMMANDS:
        raise ValueError(f"its executable has {commands} load commands")
    offset = start + (32 if magic == _THIN_64 else 28)
    build: tuple[int | None, str, str] = (None, "", "")
    signature = None
    for _ in range(commands):
        if offset + 16 > len(head):
            break
        command, size = struct.unpack_from("<II", head, offset)
        if command == _LC_BUILD_VERSION:
            platform, minimum, sdk = struct.unpack_from("<III", head, offset + 8)
            build = platform, _version(minimum), _version(sdk)
        elif command == _LC_CODE_SIGNATURE:
            at, length = struct.unpack_from("<II", head, offset + 8)
            signature = start + at, min(length, MAX_SIGNATURE)
        if size < 8:
            break
        offset += size
    return Slice(
        architecture=_architecture(cpu),
        signed=signature is not None,
        signature=signature,
        platform=build[0],
        minimum_os=build[1],
        sdk=build[2],
    )


def _architecture(cpu: int) -> str:
    return _ARCHITECTURES.get(cpu, f"cpu {cpu:#x}")


def _version(packed: int) -> str:
    """A version packed as xxxx.yy.zz, one byte for each of the last two parts."""
    return f"{packed >> 16}.{packed >> 8 & 0xFF}" + (f".{packed & 0xFF}" if packed & 0xFF else "")
