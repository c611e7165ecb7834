"""Apple's checks of an IPA, with its error codes: those for mistakes of a release pipeline."""

import plistlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rehearsal.cloud.appstore import embedded, signatures
from rehearsal.cloud.appstore.builds import is_version, ordering
from rehearsal.cloud.store import Document

WARNINGS = ("90473",)
"""Codes of which Apple warns; it accepts the upload."""
PLATFORMS = {"IOS": "iPhoneOS", "MAC_OS": "MacOSX", "TV_OS": "AppleTVOS", "VISION_OS": "XROS"}
APP = re.compile(r"(Payload/[^/]+\.app/)Info\.plist")
ORIENTATIONS = {"Portrait", "PortraitUpsideDown", "LandscapeLeft", "LandscapeRight"}
TEXTS = {
    "90000": "The archive is invalid. It contains no app bundle with a readable Info.plist.",
    "90022": "Missing required icon file. The bundle does not contain an app icon of exactly '120x120' pixels, in .png format.",
    "90034": "Missing or invalid signature. The bundle is not signed using an Apple submission certificate.",
    "90054": "The app bundle ID you specified in your iTunes Connect account is '{}', the archive's '{}'.",
    "90056": "This bundle {} is invalid. The Info.plist file is missing the required key: CFBundleVersion.",
    "90057": "The bundle '{}' is missing plist key. The Info.plist file is missing the required key: CFBundleShortVersionString.",
    "90058": "This bundle is invalid. The value for key {} '{}' must be a period-separated list of at most three integers.",
    "90060": "This bundle is invalid. The value for key {} '{}' must be a period-separated list of at most three integers.",
    "90062": "The value for key {} [{}] does not match the upload's, which is [{}].",
    "90087": "Unsupported Architectures. The executable was built for {}.",
    "90159": "Invalid provisioning profile. Please use a provisioning profile associated with Team ID {}.",
    "90161": "Invalid Provisioning Profile. A Distribution Provisioning profile should be used. [{}]",
    "90164": "Invalid Code Signing Entitlements. The profile does not allow '{}' for the key '{}'.",
    "90174": "Missing Provisioning Profile - iOS apps must contain a provisioning profile.",
    "90189": "Redundant Binary Upload. You've already uploaded a build with build number '{}' for version number '{}'.",
    "90206": "Invalid Bundle. The bundle at '{}' contains disallowed file 'Frameworks'.",
    "90208": "Invalid Bundle. The bundle does not support the minimum OS Version specified in the Info.plist.",
    "90347": "Bad bundle identifier. The bundle identifier '{}' of '{}' should start with '{}' and not contain more than one period "
    "after it.",
    "90379": "{} Mismatch. The value of '{}' does not match that of its containing iOS application.",
    "90473": "{} Mismatch. The value of extension '{}' does not match that of its containing iOS application.",
    "90474": "Invalid bundle. You need to include all of the orientations to support iPad multitasking.",
    "90475": "Invalid Bundle. iPad Multitasking support requires launch storyboard.",
    "90530": "Invalid MinimumOSVersion. The value of the key MinimumOSVersion is invalid.",
    "90562": "The value of CFBundleSupportedPlatforms does not match the platform of the upload.",
    "90683": "Missing purpose string in Info.plist. The Info.plist file should contain a {} key with a purpose string.",
    "90685": "CFBundleIdentifier Collision. There is more than one bundle with the CFBundleIdentifier value '{}'.",
    "90713": "Missing Info.plist value. A value for the Info.plist key 'CFBundleIconName' is missing.",
    "90725": "SDK version issue. This app was built with the iOS {} SDK. It must be built with the iOS {} SDK or later.",
}


def is_number(key: str, value: str) -> bool:
    """Whether it is a version (`…ShortVersionString`) or a build number. Apple accepts build numbers with four parts, against its
    documentation."""
    return is_version(value, parts=3 if "Short" in key else 4)


def redundant(attributes: Document) -> Document:
    """The error for an upload whose build number was taken by another upload before this one was committed."""
    about = attributes["cfBundleVersion"], attributes["cfBundleShortVersionString"]
    return {"code": "90189", "description": TEXTS["90189"].format(*about)}


def info_plist(path: Path) -> dict[str, Any]:
    """The Info.plist of the app; empty if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            app = _app(archive)
            content = plistlib.loads(archive.read(f"{app}Info.plist")) if app else {}
            return content if isinstance(content, dict) else {}
    except (OSError, zipfile.BadZipFile, plistlib.InvalidFileException, ValueError):
        return {}


def errors(path: Path, info: dict[str, Any], claimed: Document, bundle_id: str, now: float) -> list[Document]:
    """Entries of `state.errors`. `claimed` are the attributes of the upload, `bundle_id` is that of the app."""
    found = inspect(path, info, claimed, bundle_id, now)
    return [entry for entry in found if entry["code"] not in WARNINGS]


def inspect(path: Path, info: dict[str, Any], claimed: Document, bundle_id: str, now: float) -> list[Document]:
    """Entries of `state.errors` and of `state.warnings`."""
    return [
        {"code": code, "description": TEXTS[code].format(*about)}
        for code, *about in _found(path, info, claimed, bundle_id, now)
    ]


def _found(
    path: Path, info: dict[str, Any], claimed: Document, bundle_id: str, now: float
) -> Iterator[tuple[str, ...]]:
    """Error codes, each with the arguments of its text."""
    if not info:
        yield ("90000",)
        return
    with zipfile.ZipFile(path) as archive:
        app = _app(archive)
        names = {name.removeprefix(app) for name in archive.namelist() if name.startswith(app)}
        content = {name: archive.read(app + name) for name in names if embedded.is_inspected(name, info)}
    yield from _identity(info, claimed, bundle_id)
    yield from _info(info, claimed)
    yield from _icons(info, names)
    yield from signatures.errors(info, content, names, now)
    yield from embedded.errors(info, content, names, now)


def _app(archive: zipfile.ZipFile) -> str:
    found = (APP.fullmatch(name) for name in archive.namelist())
    return next((match[1] for match in found if match), "")


def _identity(info: dict[str, Any], claimed: Document, bundle_id: str) -> Iterator[tuple[str, ...]]:
    found = str(info.get("CFBundleIdentifier"))
    if found != bundle_id:
        yield "90054", bundle_id, found
    for key in ("CFBundleShortVersionString", "CFBundleVersion"):
        value, reserved = str(info.get(key, "")), claimed[f"cf{key[2:]}"]
        if not is_number(key, value):
            yield "90060" if "Short" in key else "90058", key, value
        elif ordering(value) != ordering(reserved):
            yield "90062", key, value, reserved


def _info(info: dict[str, Any], claimed: Document) -> Iterator[tuple[str, ...]]:
    if PLATFORMS[claimed["platform"]] not in info.get("CFBundleSupportedPlatforms", []):
        yield ("90562",)
    minimum, sdk = str(info.get("MinimumOSVersion", "")), str(info.get("DTPlatformVersion", ""))
    if not is_version(minimum):
        yield ("90530",)
    if not is_version(sdk) or ordering(sdk) < ordering(embedded.MIN_SDK):
        yield "90725", sdk, embedded.MIN_SDK
    for key, value in info.items():
        if key.endswith("UsageDescription") and not str(value).strip():
            yield "90683", key
    if "2" in map(str, _several(info.get("UIDeviceFamily", []))) and not info.get("UIRequiresFullScreen"):
        key = "UISupportedInterfaceOrientations"
        given = _several(info.get(f"{key}~ipad", info.get(key, [])))
        if ORIENTATIONS - {name.removeprefix("UIInterfaceOrientation") for name in given}:
            yield ("90474",)
        if not {"UILaunchStoryboardName", "UILaunchScreen"} & info.keys():
            yield ("90475",)


def _icons(info: dict[str, Any], names: set[str]) -> Iterator[tuple[str, ...]]:
    if not _icon_name(info):
        yield ("90713",)
    if "Assets.car" not in names and not any(name.endswith("60x60@2x.png") for name in names):
        yield ("90022",)


def _icon_name(info: dict[str, Any]) -> object:
    """The name of the icon set, in the forms of iPhones and iPads, of an Apple TV (a text), and of a Mac."""
    for key in ("CFBundleIcons", "CFBundleIcons~ipad"):
        primary = info[key].get("CFBundlePrimaryIcon") if isinstance(info.get(key), dict) else None
        name = primary.get("CFBundleIconName") if isinstance(primary, dict) else primary
        if name:
            return name
    return info.get("CFBundleIconName")


def _several(value: Any) -> list[Any]:
    """The entries of a list; a single value is a list of one."""
    return value if isinstance(value, list) else [value]
