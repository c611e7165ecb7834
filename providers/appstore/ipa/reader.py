"""What an IPA contains: `inspect(Path("app.ipa"))`. What Apple would refuse about it is in `problems.py`.

Only the necessary parts are read, so it is fast enough for previews at any size.
"""

import hashlib
import plistlib
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from providers.appstore.ipa import mach_o, mobileprovision
from providers.errors import ErrorText

MAX_PLIST = 16 << 20
PIECE = 1 << 20
"""Bytes read at a time for the digest."""
InfoPlist = Mapping[str, Any]
"""Info.plist, whose keys and types are Apple's and the app's."""

MISSING = ErrorText("there is no IPA at {path}", remedy="build it, or fix the path")
NOT_AN_IPA = ErrorText(
    "{path} is not a valid IPA: it contains {count} apps under Payload/, not one", remedy="export it again"
)
NOT_READABLE = ErrorText("{path} is not a valid IPA: {fault}", remedy="export it again")
CANNOT_READ = ErrorText("cannot read the IPA {path}: {reason}", remedy="fix its permissions, or the path")
_UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    plistlib.InvalidFileException,
    ExpatError,
    KeyError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, kw_only=True)
class Ipa:
    """What an IPA contains. `info` is its whole Info.plist."""

    info: InfoPlist
    profile: mobileprovision.Profile | None
    slices: tuple[mach_o.Slice, ...]
    """Of the app's executable; empty if that is missing."""
    has_icon: bool
    has_sealed_resources: bool
    """Whether it has CodeResources, the digests of all files, which are part of a signature."""

    @property
    def bundle_id(self) -> str:
        return str(self.info.get("CFBundleIdentifier", ""))

    @property
    def short_version(self) -> str:
        return str(self.info.get("CFBundleShortVersionString", ""))

    @property
    def version(self) -> str:
        return str(self.info.get("CFBundleVersion", ""))

    @property
    def minimum_os(self) -> str:
        return str(self.info.get("MinimumOSVersion", ""))

    @property
    def sdk(self) -> str:
        return str(self.info.get("DTPlatformVersion", ""))

    @property
    def uses_non_exempt_encryption(self) -> bool | None:
        """The app's answer about export compliance; None when it has none and App Store Connect will ask."""
        value = self.info.get("ITSAppUsesNonExemptEncryption")
        return None if value is None else value in (True, "true", "YES", "1")


def inspect(path: Path) -> Ipa:
    """Read an IPA. Raises ProviderError when the file does not exist or is not an IPA."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            app = _app_folder(path, names)
            info = _plist(archive, f"{app}Info.plist")
            profile = f"{app}embedded.mobileprovision"
            executable = f"{app}{info.get('CFBundleExecutable', '')}"
            return Ipa(
                info=info,
                profile=mobileprovision.read(archive.read(profile)) if profile in names else None,
                slices=_slices(archive, executable) if executable in names else (),
                has_icon=_has_icon(app, names),
                has_sealed_resources=f"{app}_CodeSignature/CodeResources" in names,
            )
    except FileNotFoundError:
        raise MISSING(path=path) from None
    except _UNREADABLE as error:
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
                progress(f"read {read / 1e6:.1f} of {size / 1e6:.1f} MB, for the digest")
        return digest.hexdigest()
    except OSError as error:
        raise CANNOT_READ(path=path, reason=error.strerror) from None


def _app_folder(path: Path, names: Sequence[str]) -> str:
    folders = {"/".join(name.split("/")[:2]) + "/" for name in names if name.startswith("Payload/")}
    apps = sorted(folder for folder in folders if folder.endswith(".app/"))
    if len(apps) != 1:
        raise NOT_AN_IPA(path=path, count=len(apps) or "no")
    return apps[0]


def _plist(archive: zipfile.ZipFile, name: str) -> InfoPlist:
    if archive.getinfo(name).file_size > MAX_PLIST:
        raise ValueError(f"{name} is larger than {MAX_PLIST >> 20} MiB")
    content = plistlib.loads(archive.read(name))
    if not isinstance(content, dict):
        raise plistlib.InvalidFileException(f"{name} is not a dictionary")
    return content


def _slices(archive: zipfile.ZipFile, executable: str) -> tuple[mach_o.Slice, ...]:
    with archive.open(executable) as file:
        return mach_o.read(file.read(mach_o.HEAD_BYTES))


def _has_icon(app: str, names: Sequence[str]) -> bool:
    return f"{app}Assets.car" in names or any(
        name.startswith(app) and name.endswith("60x60@2x.png") and name.count("/") == app.count("/") for name in names
    )
