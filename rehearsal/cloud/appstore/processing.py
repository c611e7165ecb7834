"""What Apple does with an IPA once all of it is there: looks into it, refuses it with codes, or makes a build of it."""

import plistlib
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.appstore.builds import make_build, ordering
from rehearsal.cloud.appstore.kinds import Records
from rehearsal.cloud.store import Document

if TYPE_CHECKING:
    from rehearsal.cloud.world import World

PLATFORMS = {"IOS": "iPhoneOS", "MAC_OS": "MacOSX", "TV_OS": "AppleTVOS", "VISION_OS": "XROS"}


def is_version(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+){0,2}", text) is not None


def limits(world: "World") -> Document:
    """What `POST /appstore/settings` has set."""
    return world.store.get("appstore.settings", "limits") or {}


def process(records: Records, upload: Document, path: Path) -> None:
    """Begin to process: the outcome is known now, and shown when it is time."""
    info = _info(path)
    errors = _errors(records, upload, path, info)
    rejected = records.world.store.get("appstore.settings", "reject")
    if rejected:
        errors |= rejected["codes"]
        records.world.store.delete("appstore.settings", "reject")
    upload["committed_at"] = records.world.clock.now()
    upload["errors"] = [{"code": code, "description": text} for code, text in errors.items()]
    records.save(upload)
    if not errors:
        facts = {
            "minOsVersion": info.get("MinimumOSVersion"),
            "usesNonExemptEncryption": info.get("ITSAppUsesNonExemptEncryption"),
        }
        make_build(records, upload, facts, limits(records.world).get("build_outcome", "VALID"))


def _errors(records: Records, upload: Document, path: Path, info: dict[str, Any]) -> dict[str, str]:
    """Apple's codes with their texts. Not all that Apple checks: what a release pipeline gets wrong."""
    if not info:
        return {"90000": "The archive is invalid. It contains no app bundle with a readable Info.plist."}
    app = records.get("apps", upload["links"]["app"])
    assert app
    expected, found = app["attributes"]["bundleId"], info.get("CFBundleIdentifier")
    claimed = upload["attributes"]
    errors = {}
    if found != expected:
        errors["90054"] = (
            f"The app bundle ID you specified in your iTunes Connect account is '{expected}', the archive's '{found}'."
        )
    for key, reserved in (
        ("CFBundleShortVersionString", claimed["cfBundleShortVersionString"]),
        ("CFBundleVersion", claimed["cfBundleVersion"]),
    ):
        value = str(info.get(key, ""))
        if not is_version(value) or ordering(value) != ordering(reserved):
            errors["90062"] = f"The value for key {key} [{value}] does not match the upload's, which is [{reserved}]."
    if claimed["platform"] == "IOS" and PLATFORMS["IOS"] not in info.get("CFBundleSupportedPlatforms", []):
        errors["90562"] = "The value of CFBundleSupportedPlatforms does not match the platform of the upload."
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if not any(name.endswith(".app/embedded.mobileprovision") for name in names):
        errors["90174"] = "Missing Provisioning Profile - iOS apps must contain a provisioning profile."
    if not info.get("CFBundleIcons", {}).get("CFBundlePrimaryIcon", {}).get("CFBundleIconName"):
        errors["90713"] = "Missing Info.plist value. A value for the Info.plist key 'CFBundleIconName' is missing."
    return errors


def _info(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"Payload/[^/]+\.app/Info\.plist", name):
                    content = plistlib.loads(archive.read(name))
                    return content if isinstance(content, dict) else {}
    except (OSError, zipfile.BadZipFile, plistlib.InvalidFileException, ValueError):
        pass
    return {}
