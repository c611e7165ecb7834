"""Damaged IPAs, from a fixed seed: `python -m tests.appstore.damaged FOLDER` inspects them and prints what happened, as JSON.

It runs in a process of its own, so that its memory can be measured and limited.
"""

import io
import itertools
import json
import plistlib
import random
import resource
import struct
import sys
import time
import traceback
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.appstore import BUNDLE_ID
from providers.appstore.ipa import reader
from providers.appstore.ipa.expected import Expected
from providers.appstore.ipa.problems import problems
from providers.errors import ProviderError
from rehearsal.standins import ipa as standin

CASES = 1000
EXPECTED = Expected(
    bundle_id=BUNDLE_ID,
    short_version="1.0.0",
    version="0",
    minimum_os="17.0",
    info={"API_BASE_URL": "https://a.example"},
)
APP = "Payload/SolOS.app/"
INFO = f"{APP}Info.plist"
PROFILE = f"{APP}embedded.mobileprovision"
Members = dict[str, bytes]


def main() -> int:
    folder = Path(sys.argv[1])
    failures, refused, slowest = [], 0, 0.0
    for number, content in enumerate(cases(folder)):
        path = folder / "case.ipa"
        path.write_bytes(content)
        start = time.process_time()
        try:
            problems(reader.inspect(path), EXPECTED)
        except ProviderError:
            refused += 1
        except BaseException:  # noqa: BLE001 (that is what is looked for)
            failures.append(f"case {number}: {traceback.format_exc().splitlines()[-1]}")
        slowest = max(slowest, time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"cases": number + 1, "refused": refused, "failures": failures, "slowest": slowest, "peak": peak}))
    return 0


def cases(folder: Path) -> Iterator[bytes]:
    """The contents of CASES IPAs."""
    share = standin.nested("PlugIns/Share.appex", f"{BUNDLE_ID}.Share")
    signed = standin.executable(entitlements={"aps-environment": "production"})
    files = share | {"SolOS": signed}
    path = standin.write(folder / "whole.ipa", bundle_id=BUNDLE_ID, version="1.0.0", build="0", files=files)
    whole = path.read_bytes()
    with zipfile.ZipFile(folder / "whole.ipa") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chance = random.Random(20261127)  # noqa: S311 (a fixed seed)
    found = itertools.chain(_bombs(members), _random_cases(chance, whole, members))
    return itertools.islice(found, CASES)


def zipped(members: Members, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _random_cases(chance: random.Random, whole: bytes, members: Members) -> Iterator[bytes]:
    values: list[Any] = [0, -1, 2**62, 1.5, True, "", "x" * 5000, b"\0", [], [[]], {}, {"a": [1]}, ["x", 1]]
    info = plistlib.loads(members[INFO])
    while True:
        yield _mutated(chance, whole)
        name = chance.choice([*members])
        yield zipped(members | {name: _mutated(chance, members[name])})
        key = chance.choice(
            [*info, "UISupportedInterfaceOrientations", "CFBundleIcons~ipad", "NSCameraUsageDescription"]
        )
        yield zipped(members | {INFO: plistlib.dumps(info | {key: chance.choice(values)})})
        key = chance.choice(["Entitlements", "TeamIdentifier", "Name", "ExpirationDate", "DeveloperCertificates"])
        profile = {"ExpirationDate": datetime(2030, 1, 1), key: chance.choice(values)}  # noqa: DTZ001 (as plistlib has it)
        yield zipped(members | {PROFILE: signed_message(plistlib.dumps(profile))})


def _mutated(chance: random.Random, content: bytes) -> bytes:
    """Some bytes changed, removed or doubled."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 8, 32))):
        at = chance.randrange(len(changed) or 1)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at : at + 4] = struct.pack(">I", chance.choice((0, 0x7FFFFFFF, 0xFFFFFFFF)))
            case 2:
                del changed[at : at + chance.choice((1, 16, 1000))]
            case _:
                changed[at:at] = changed[at : at + 64]
    return bytes(changed)


def _bombs(members: Members) -> Iterator[bytes]:
    """Small files that describe something huge."""
    zeros = bytes(64 << 20)
    for name in (INFO, PROFILE, f"{APP}SolOS", f"{APP}PlugIns/Share.appex/Info.plist"):
        yield zipped(members | {name: zeros}, zipfile.ZIP_DEFLATED)
    for info in (deep_xml(100_000), shared_lists(30), one_place(50_000), long_number(), objects_without_end()):
        yield zipped(members | {INFO: info})
    for program in (
        struct.pack(">II", 0xCAFEBABE, 0xFFFFFFFF) + bytes(1 << 20),
        struct.pack(">II", 0xCAFEBABE, 52_000) + struct.pack(">IIIII", 0x0100000C, 0, 0, 0, 0) * 52_000,
        struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 2, 0xFFFFFFFF, 0, 0, 0)
        + struct.pack("<II", 1, 8) * 130_000,
        standin.executable()[:-8] + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF),
    ):
        yield zipped(members | {f"{APP}SolOS": program})
    yield zipped(members | {PROFILE: b"\x30\x80" * 200_000})
    yield zipped(members | {PROFILE: b"\x30\x80" * 12 + b"\x04\0" * 400_000})
    yield zipped(members | {PROFILE: b"\x30\xff" + b"\xff" * 127 + bytes(100)})
    yield zipped(members | {PROFILE: signed_message(deep_xml(50_000))})
    yield zipped(members | {INFO: members[INFO]}, zipfile.ZIP_BZIP2)
    yield zipped({f"{APP}Frameworks/F{number}.framework/Info.plist": b"" for number in range(3000)} | members)
    yield zipped({f"Payload/{'a/' * 2000}{number}": b"" for number in range(500)} | members)
    yield b""


def deep_xml(levels: int) -> bytes:
    head = b'<?xml version="1.0"?><plist version="1.0"><dict><key>a</key>'
    return head + b"<array>" * levels + b"</array>" * levels + b"</dict></plist>"


def shared_lists(levels: int) -> bytes:
    """A binary property list of 2^levels values: each list contains the next one twice."""
    value: Any = "x"
    for _ in range(levels):
        value = [value, value]
    return plistlib.dumps({"CFBundleIdentifier": value}, fmt=plistlib.FMT_BINARY)


def binary_plist(body: bytes, offsets: list[int], *, count: int | None = None) -> bytes:
    """A binary property list with a body of objects, which begins at offset 8."""
    table = b"".join(struct.pack(">I", offset) for offset in offsets)
    trailer = struct.pack(">6xBBQQQ", 4, 4, len(offsets) if count is None else count, 0, 8 + len(body))
    return b"bplist00" + body + table + trailer


def one_place(count: int) -> bytes:
    """Many objects that are the same list of many objects."""
    body = b"\xaf\x12" + struct.pack(">I", count) + b"".join(struct.pack(">I", index) for index in range(count))
    return binary_plist(body, [8] * count)


def long_number() -> bytes:
    """Many objects that are the same number of 32 KiB."""
    return binary_plist(b"\x1f" + bytes(1 << 15), [8] * 50_000)


def objects_without_end() -> bytes:
    return binary_plist(b"\xa0", [8], count=2**40)


def signed_message(content: bytes) -> bytes:
    """A CMS message of which only the content is real."""
    octets = _element(0x04, content)
    kind = bytes.fromhex("06092a864886f70d010702")
    encapsulated = _element(0x30, bytes.fromhex("06092a864886f70d010701") + _element(0xA0, octets))
    signed_data = _element(0x30, _element(0x02, b"\1") + _element(0x31, b"") + encapsulated)
    return _element(0x30, kind + _element(0xA0, signed_data))


def _element(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + struct.pack(">I", len(content)) + content


if __name__ == "__main__":
    sys.exit(main())
