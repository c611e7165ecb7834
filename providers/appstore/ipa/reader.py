"""What an IPA contains: `inspect(Path("app.ipa"))`. What Apple would refuse about it is in `problems.py`.

Only the necessary parts are read, so it is fast enough for previews at any size, and each with a limit.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from providers.appstore.ipa import mach_o, mobileprovision, plist
from providers.appstore.ipa.archive import Archive, opened
from providers.errors import ErrorText

PIECE = 1 << 20
"""Bytes read at a time for the digest."""
MAX_BUNDLES = 200
"""Bundles inside the app that are read: extensions, frameworks, and others."""
EXTENSION, APP_CLIP, WATCH_APP, FRAMEWORK = "extension", "App Clip", "watch app", "framework"
_KINDS = {
    "PlugIns": EXTENSION,
    "Extensions": EXTENSION,
    "AppClips": APP_CLIP,
    "Watch": WATCH_APP,
    "Frameworks": FRAMEWORK,
}
_NESTED = re.compile(
    r"((?:(?:PlugIns|Extensions)/[^/]+\.appex/|(?:AppClips|Watch)/[^/]+\.app/|Frameworks/[^/]+\.framework/)+)Info\.plist"
)

MISSING = ErrorText("there is no IPA at {path}", remedy="build it, or fix the path")
NOT_AN_IPA = ErrorText(
    "{path} is not a valid IPA: it contains {count} apps under Payload/, not one", remedy="export it again"
)
NOT_READABLE = ErrorText("{path} is not a valid IPA: {fault}", remedy="export it again")
CANNOT_READ = ErrorText("cannot read the IPA {path}: {reason}", remedy="fix its permissions, or the path")


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The app, or a bundle inside it. `info` is its whole Info.plist."""

    path: str
    """In the app: `PlugIns/Share.appex`; empty for the app itself."""
    kind: str
    """Empty for the app itself."""
    info: plist.Plist
    profile: mobileprovision.Profile | None
    slices: tuple[mach_o.Slice, ...]
    """Of its executable; empty if that is missing."""
    entitlements: plist.Plist | None
    """Those of its signature; None if they could not be read."""
    has_icon: bool
    has_sealed_resources: bool
    """Whether it has CodeResources, the digests of all files, which are part of a signature."""

    @property
    def bundle_id(self) -> str:
        return plist.text(self.info, "CFBundleIdentifier")

    @property
    def short_version(self) -> str:
        return plist.text(self.info, "CFBundleShortVersionString")

    @property
    def version(self) -> str:
        return plist.text(self.info, "CFBundleVersion")

    @property
    def minimum_os(self) -> str:
        return plist.text(self.info, "MinimumOSVersion")

    @property
    def sdk(self) -> str:
        return plist.text(self.info, "DTPlatformVersion")

    @property
    def icon_name(self) -> str:
        """The name of its icon set: of iPhones, iPads, or of a Mac or an Apple TV, which have other forms."""
        for key in ("CFBundleIcons", "CFBundleIcons~ipad"):
            icons = plist.table(self.info, key)
            name = plist.text(plist.table(icons, "CFBundlePrimaryIcon"), "CFBundleIconName")
            if name or (name := plist.text(icons, "CFBundlePrimaryIcon")):
                return name
        return plist.text(self.info, "CFBundleIconName")

    @property
    def uses_non_exempt_encryption(self) -> bool | None:
        """The app's answer about export compliance; None when it has none and App Store Connect will ask."""
        return plist.flag(self.info, "ITSAppUsesNonExemptEncryption")


class Ipa(Bundle, frozen=True, kw_only=True):
    """What an IPA contains: the app, and the bundles inside it."""

    nested: tuple[Bundle, ...]


def inspect(path: Path) -> Ipa:
    """Read an IPA. Raises ProviderError when the file does not exist or is not an IPA."""
    try:
        with opened(path) as archive:
            app = _app_folder(path, archive.names)
            files = {name.removeprefix(app) for name in archive.names if name.startswith(app)}
            nested = tuple(_bundle(archive, app, folder, files) for folder in _nested_folders(files))
            return Ipa(**asdict(_bundle(archive, app, "", files)), nested=nested)
    except FileNotFoundError:
        raise MISSING(path=path) from None
    except (OSError, ValueError, struct.error) as error:
        raise NOT_READABLE(path=path, fault=error) from None


def sha256(path: Path, progress: Callable[[str], None] = lambda text: None) -> str:
    """The hex digest of the file, read in pieces. Raises ProviderError when it cannot be read."""
    digest, read = hashlib.sha256(), 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                read += len(piece)
                progress(f"{read / 1e6:.1f} of {size / 1e6:.1f} MB")
        return digest.hexdigest()
    except OSError as error:
        raise CANNOT_READ(path=path, reason=error.strerror) from None


def _app_folder(path: Path, names: Collection[str]) -> str:
    folders = {"/".join(name.split("/", 2)[:2]) + "/" for name in names if name.startswith("Payload/")}
    apps = sorted(folder for folder in folders if folder.endswith(".app/"))
    if len(apps) != 1:
        raise NOT_AN_IPA(path=path, count=len(apps) or "no")
    return apps[0]


def _nested_folders(files: Collection[str]) -> list[str]:
    found = sorted({match[1] for name in files if (match := _NESTED.fullmatch(name))})
    if len(found) > MAX_BUNDLES:
        raise ValueError(f"it contains {len(found)} bundles")
    return found


def _bundle(archive: Archive, app: str, folder: str, files: Collection[str]) -> Bundle:
    """The bundle in a folder of the app; an empty folder is the app itself. `files` are paths in the app."""
    info = plist.read(archive.read(f"{app}{folder}Info.plist", plist.MAX_BYTES), f"{folder}Info.plist")
    executable, profile = f"{folder}{plist.text(info, 'CFBundleExecutable')}", f"{folder}embedded.mobileprovision"
    slices = _slices(archive, app + executable) if executable in files else ()
    return Bundle(
        path=folder.rstrip("/"),
        kind=_KINDS[folder.split("/")[-3]] if folder else "",
        info=info,
        profile=mobileprovision.read(archive.read(app + profile, mobileprovision.MAX_BYTES))
        if profile in files
        else None,
        slices=slices,
        entitlements=_entitlements(archive, app + executable, slices),
        has_icon=f"{folder}Assets.car" in files
        or any(map(re.compile(f"{re.escape(folder)}[^/]*60x60@2x.png").fullmatch, files)),
        has_sealed_resources=f"{folder}_CodeSignature/CodeResources" in files,
    )


def _slices(archive: Archive, executable: str) -> tuple[mach_o.Slice, ...]:
    return mach_o.read(archive.read_at(executable, 0, mach_o.HEAD_BYTES))


def _entitlements(archive: Archive, executable: str, slices: tuple[mach_o.Slice, ...]) -> plist.Plist | None:
    signatures = [part.signature for part in slices if part.signature]
    return mach_o.entitlements(archive.read_at(executable, *signatures[0])) if signatures else None
