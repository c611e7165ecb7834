"""Mach-O executables: the processors and systems that one is built for, from its first bytes (Apple's `mach-o/loader.h`)."""

import struct
from dataclasses import dataclass

HEAD_BYTES = 1 << 20
"""How much of a file `read` needs: all headers and load commands of a real program fit into it."""
IOS, IOS_SIMULATOR = 2, 7
_ARCHITECTURES = {0x0100000C: "arm64", 0x01000007: "x86_64", 0x0000000C: "armv7", 0x00000007: "i386"}
_FAT, _THIN_64, _THIN_32 = 0xCAFEBABE, 0xFEEDFACF, 0xFEEDFACE
_LC_CODE_SIGNATURE, _LC_BUILD_VERSION = 0x1D, 0x32


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A program for one architecture. `platform`, `minimum_os` and `sdk` are empty if it has no build version."""

    architecture: str
    signed: bool
    platform: int | None = None
    minimum_os: str = ""
    sdk: str = ""


def read(head: bytes) -> tuple[Slice, ...]:
    """The slices of an executable. Raises ValueError or struct.error when it is not one."""
    if struct.unpack_from(">I", head)[0] != _FAT:
        return (_slice(head),)
    (count,) = struct.unpack_from(">I", head, 4)
    found = []
    for index in range(count):
        cpu, _, offset, _, _ = struct.unpack_from(">IIIII", head, 8 + 20 * index)
        whole = offset + 32 <= len(head)
        # Of a slice that begins after what was read, only what the fat header contains is known.
        found.append(_slice(head[offset:]) if whole else Slice(architecture=_architecture(cpu), signed=True))
    return tuple(found)


def _slice(head: bytes) -> Slice:
    magic, cpu, _, _, commands, _, _ = struct.unpack_from("<IIIIIII", head)
    if magic not in (_THIN_64, _THIN_32):
        raise ValueError("its executable is not a Mach-O file")
    offset = 32 if magic == _THIN_64 else 28
    build: tuple[int | None, str, str] = (None, "", "")
    signed = False
    for _ in range(commands):
        if offset + 8 > len(head):
            break
        command, size = struct.unpack_from("<II", head, offset)
        if command == _LC_BUILD_VERSION:
            platform, minimum, sdk = struct.unpack_from("<III", head, offset + 8)
            build = platform, _version(minimum), _version(sdk)
        signed = signed or command == _LC_CODE_SIGNATURE
        if size < 8:
            break
        offset += size
    return Slice(architecture=_architecture(cpu), signed=signed, platform=build[0], minimum_os=build[1], sdk=build[2])


def _architecture(cpu: int) -> str:
    return _ARCHITECTURES.get(cpu, f"cpu {cpu:#x}")


def _version(packed: int) -> str:
    """A version packed as xxxx.yy.zz, one byte for each of the last two parts."""
    return f"{packed >> 16}.{packed >> 8 & 0xFF}" + (f".{packed & 0xFF}" if packed & 0xFF else "")
