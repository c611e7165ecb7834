"""Apple's checks of the bundles inside an app: extensions, App Clips, watch apps, frameworks. The codes are those of `inspection.py`."""

import plistlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rehearsal.cloud.appstore import signatures
from rehearsal.cloud.appstore.builds import is_version, ordering

BUNDLE = re.compile(r"(.+\.(?:appex|app|framework))/Info\.plist")
MIN_SDK = "26"
"""Apple raises it every year."""
WATCH_CPU, WATCH_OS = 0x0200000C, 4


def is_inspected(name: str, info: dict[str, Any]) -> bool:
    """Whether the content of a file is needed: property lists, profiles, and everything that can be an executable."""
    return name in ("embedded.mobileprovision", str(info.get("CFBundleExecutable"))) or bool(
        re.match(r"(PlugIns|Extensions|AppClips|Watch|Frameworks)/[^/]+/", name)
    )


def errors(
    info: dict[str, Any], content: Mapping[str, bytes], names: set[str], now: float
) -> Iterator[tuple[str, ...]]:
    paths = sorted(match[1] for name in content if (match := BUNDLE.fullmatch(name)))
    infos = {"": info} | {path: plistlib.loads(content[f"{path}/Info.plist"]) for path in paths}
    for path in paths:
        inner = infos[path]
        program = content.get(f"{path}/{inner.get('CFBundleExecutable')}", b"")
        if path.endswith(".framework"):
            yield from _framework(path, inner, program)
        else:
            parent = infos[max((outer for outer in infos if path.startswith(outer) and outer != path), key=len)]
            yield from _signed(path, inner, parent, info)
            if path.endswith(".app") and f"{path}/Assets.car" not in names:
                yield ("90022",)
            watch = {"cpu": WATCH_CPU, "system": WATCH_OS} if path.startswith("Watch/") else {}
            yield from signatures.program_errors(inner, program, **watch)
            if f"{path}/_CodeSignature/CodeResources" not in names:
                yield ("90034",)
            yield from signatures.profile_errors(
                inner, content.get(f"{path}/embedded.mobileprovision", b""), program, now
            )
        if not path.endswith(".app") and any(name.startswith(f"{path}/Frameworks/") for name in names):
            yield "90206", path
    identifiers = [str(properties.get("CFBundleIdentifier")) for properties in infos.values()]
    for identifier in sorted({found for found in identifiers if identifiers.count(found) > 1}):
        yield "90685", identifier


def _signed(path: str, inner: dict[str, Any], parent: dict[str, Any], app: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    identifier, prefix = str(inner.get("CFBundleIdentifier")), f"{parent.get('CFBundleIdentifier')}."
    if not re.fullmatch(re.escape(prefix) + r"[^.]+", identifier):
        yield "90347", identifier, path, prefix
    for key, code in (("CFBundleShortVersionString", "90057"), ("CFBundleVersion", "90056")):
        if key not in inner:
            yield code, path
        elif inner[key] != app.get(key):
            yield "90379" if path.endswith(".app") else "90473", key, path
    sdk = str(inner.get("DTPlatformVersion", ""))
    if not is_version(sdk) or ordering(sdk) < ordering(MIN_SDK):
        yield "90725", sdk, MIN_SDK
    if path.endswith(".app") and not inner.get("CFBundleIcons"):
        yield ("90713",)


def _framework(path: str, inner: dict[str, Any], program: bytes) -> Iterator[tuple[str, ...]]:
    if "CFBundleVersion" not in inner:
        yield "90056", path
    if "CFBundleShortVersionString" not in inner:
        yield "90057", path
    yield from (error for error in signatures.program_errors(inner, program) if program and error != ("90034",))
