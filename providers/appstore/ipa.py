"""What is inside an IPA, and what Apple would say about it, before a byte is uploaded.

    facts = inspect(Path("solmobile.ipa"))
    for problem in problems(facts, Expected(bundle_id="com.example.app", short_version="1.0.0", version="0")): ...

Pure but for reading the file, of which only the parts needed are read: it is quick for any size and fit for previews. Numbers in
problems are Apple's own codes, those with which it would refuse the upload.
"""

import base64
import hashlib
import plistlib
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from providers.appstore import versions
from providers.errors import ProviderError

LARGEST_PLIST = 16 << 20
_ARCHITECTURES = {0x0100000C: "arm64", 0x01000007: "x86_64", 0x0000000C: "armv7", 0x00000007: "i386"}
_IOS_SIMULATOR = 7
_LC_BUILD_VERSION = 0x32
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
class EmbeddedProfile:
    """The provisioning profile in the app. `kind` is one of App Store, Ad Hoc, Development, Enterprise."""

    name: str
    uuid: str
    kind: str
    team_id: str
    application_id: str
    """`<team>.<bundle ID>`, or `<team>.*`."""
    expires: datetime
    certificates: tuple[bytes, ...] = ()
    """DER."""


@dataclass(frozen=True, kw_only=True)
class Ipa:
    """The facts about an IPA. `info` is its whole Info.plist."""

    path: Path
    size: int
    info: Mapping[str, Any]
    profile: EmbeddedProfile | None
    architectures: tuple[str, ...]
    for_simulator: bool
    has_icon: bool

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
    def uses_non_exempt_encryption(self) -> bool | None:
        """What the app says about export compliance; None when it says nothing and App Store Connect will ask."""
        value = self.info.get("ITSAppUsesNonExemptEncryption")
        return None if value is None else value in (True, "true", "YES", "1")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an IPA shall be. None and empty mean: whatever it is."""

    bundle_id: str
    short_version: str
    version: str
    minimum_os: str | None = None
    """The IPA may not ask for a later one, which would shut testers out."""
    minimum_sdk: str | None = None
    """Apple raises the oldest SDK it takes every spring."""
    info: Mapping[str, str] = field(default_factory=dict)
    """Values of Info.plist that have to be as given: the endpoint, say."""
    usage_descriptions: Sequence[str] = ()
    """Info.plist keys (NSCameraUsageDescription, …) that may not be missing or empty."""
    team_id: str | None = None
    certificate: bytes | None = None
    """DER of the distribution certificate that the profile has to contain."""
    says_export_compliance: bool = False
    """Whether ITSAppUsesNonExemptEncryption has to be there."""


def inspect(path: Path) -> Ipa:
    """Read an IPA. Raises ProviderError when it is not there or is no IPA."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            app = _app_folder(path, names)
            info = _plist(archive, f"{app}Info.plist")
            profile = f"{app}embedded.mobileprovision"
            executable = f"{app}{info.get('CFBundleExecutable', '')}"
            architectures, platforms = _mach_o(archive, executable) if executable in names else ((), ())
            return Ipa(
                path=path,
                size=path.stat().st_size,
                info=info,
                profile=_profile(archive.read(profile)) if profile in names else None,
                architectures=architectures,
                for_simulator=_IOS_SIMULATOR in platforms,
                has_icon=_has_icon(app, names),
            )
    except FileNotFoundError:
        raise ProviderError(f"there is no IPA at {path}: build it, or correct the path") from None
    except _UNREADABLE as error:
        raise ProviderError(f"{path} is not a readable IPA ({error}): export it again") from None


def sha256(path: Path) -> str:
    """The hex digest of the file, read in pieces. Raises ProviderError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ProviderError(f"cannot read the IPA {path}: {error.strerror}") from None


def problems(ipa: Ipa, expected: Expected, now: datetime | None = None) -> list[str]:
    """Everything for which Apple, or we, would refuse this IPA; empty when it may go up."""
    return [
        *_identity_problems(ipa, expected),
        *_content_problems(ipa, expected),
        *_profile_problems(ipa, expected, now or datetime.now(UTC)),
    ]


def _identity_problems(ipa: Ipa, expected: Expected) -> Iterator[str]:
    if ipa.bundle_id != expected.bundle_id:
        yield f"its bundle ID is '{ipa.bundle_id}', the stack's is '{expected.bundle_id}' (Apple's code 90054)"
    for ours, theirs, what in (
        (expected.short_version, ipa.short_version, "version"),
        (expected.version, ipa.version, "build number"),
    ):
        malformed = versions.problem(theirs, what)
        if malformed:
            yield f"its {malformed}"
        elif versions.problem(ours, what) or versions.ordering(theirs) != versions.ordering(ours):
            yield f"its {what} is {theirs}, the stack's is {ours}"
    for key, value in expected.info.items():
        if ipa.info.get(key) != value:
            yield f"its Info.plist says {key} = {ipa.info.get(key, 'nothing')}, the stack {value}"


def _content_problems(ipa: Ipa, expected: Expected) -> Iterator[str]:
    malformed = versions.problem(ipa.minimum_os, "MinimumOSVersion")
    if malformed:
        yield f"its {malformed} (90530)"
    elif expected.minimum_os and versions.ordering(ipa.minimum_os) > versions.ordering(expected.minimum_os):
        yield f"it needs iOS {ipa.minimum_os}, but the stack promises iOS {expected.minimum_os}"
    sdk = str(ipa.info.get("DTPlatformVersion", ""))
    if expected.minimum_sdk and (
        versions.problem(sdk, "") or versions.ordering(sdk) < versions.ordering(expected.minimum_sdk)
    ):
        yield f"it was built with SDK {sdk or 'unknown'}, Apple takes {expected.minimum_sdk} or later (90725): update Xcode"
    for key in expected.usage_descriptions:
        if not str(ipa.info.get(key, "")).strip():
            yield f"Info.plist has no text for {key}, which is shown when the app asks for permission (90683)"
    if expected.says_export_compliance and ipa.uses_non_exempt_encryption is None:
        yield "Info.plist has no ITSAppUsesNonExemptEncryption: without it each build waits for an answer on the website"
    if not ipa.info.get("CFBundleIcons", {}).get("CFBundlePrimaryIcon", {}).get("CFBundleIconName"):
        yield "Info.plist names no icon set (CFBundleIconName): the app needs an asset catalogue with its icon (90713)"
    if not ipa.has_icon:
        yield "it contains no app icon, neither Assets.car nor a 60x60@2x PNG (90022)"
    if "arm64" not in ipa.architectures or set(ipa.architectures) - {"arm64"} or ipa.for_simulator:
        built = ", ".join(ipa.architectures) or "no executable"
        yield f"it is built for {built}{' (simulator)' if ipa.for_simulator else ''}, it has to be for arm64 devices (90087)"


def _profile_problems(ipa: Ipa, expected: Expected, now: datetime) -> Iterator[str]:
    profile = ipa.profile
    if profile is None:
        yield "it has no embedded.mobileprovision: it was not exported for the App Store (90174)"
        return
    named = f"its provisioning profile '{profile.name}'"
    if profile.kind != "App Store":
        yield f"{named} is for {profile.kind}, it has to be for the App Store (90161)"
    if profile.expires <= now:
        yield f"{named} expired on {profile.expires:%Y-%m-%d} (90161)"
    elif profile.expires <= now + timedelta(days=1):
        yield f"{named} expires within a day, on {profile.expires:%Y-%m-%d %H:%M} UTC"
    if expected.team_id and profile.team_id != expected.team_id:
        yield f"{named} belongs to team {profile.team_id}, the stack's is {expected.team_id} (90161)"
    application = profile.application_id.partition(".")[2]
    if application not in (ipa.bundle_id, "*") and not (
        application.endswith(".*") and ipa.bundle_id.startswith(application[:-1])
    ):
        yield f"{named} is for bundle ID {application} (90161)"
    if expected.certificate and expected.certificate not in profile.certificates:
        yield f"{named} does not contain the stack's distribution certificate (90161): export it with the stack's profile"


def _app_folder(path: Path, names: Sequence[str]) -> str:
    folders = {"/".join(name.split("/")[:2]) + "/" for name in names if name.startswith("Payload/")}
    apps = sorted(folder for folder in folders if folder.endswith(".app/"))
    if len(apps) != 1:
        raise ProviderError(f"{path} is no IPA: it holds {len(apps) or 'no'} apps under Payload/, not one")
    return apps[0]


def _plist(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > LARGEST_PLIST:
        raise ValueError(f"{name} is larger than {LARGEST_PLIST >> 20} MiB")
    content = plistlib.loads(archive.read(name))
    if not isinstance(content, dict):
        raise plistlib.InvalidFileException(f"{name} is no dictionary")
    return content


def _profile(content: bytes) -> EmbeddedProfile:
    """A profile is a CMS signature around a property list, which stands in it as it is."""
    start, end = content.find(b"<?xml"), content.find(b"</plist>")
    if start < 0 or end < 0:
        raise ValueError("embedded.mobileprovision holds no property list")
    values = plistlib.loads(content[start : end + len(b"</plist>")])
    entitlements = values.get("Entitlements") or {}
    if values.get("ProvisionsAllDevices"):
        kind = "Enterprise"
    elif entitlements.get("get-task-allow"):
        kind = "Development"
    else:
        kind = "Ad Hoc" if values.get("ProvisionedDevices") else "App Store"
    return EmbeddedProfile(
        name=str(values.get("Name", "")),
        uuid=str(values.get("UUID", "")),
        kind=kind,
        team_id=str((values.get("TeamIdentifier") or [""])[0]),
        application_id=str(entitlements.get("application-identifier", "")),
        expires=values["ExpirationDate"].replace(tzinfo=UTC),
        certificates=tuple(values.get("DeveloperCertificates") or ()),
    )


def profile_content(encoded: str) -> EmbeddedProfile:
    """The facts in a profile as the API sends it, in base64."""
    return _profile(base64.b64decode(encoded))


def _has_icon(app: str, names: Sequence[str]) -> bool:
    return f"{app}Assets.car" in names or any(
        name.startswith(app) and name.endswith("60x60@2x.png") and name.count("/") == app.count("/") for name in names
    )


def _mach_o(archive: zipfile.ZipFile, name: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Architectures and platforms of an executable, from its headers."""
    with archive.open(name) as file:
        head = file.read(1 << 20)
    if head[:4] != b"\xca\xfe\xba\xbe":
        architecture, platform = _slice(head)
        return (architecture,), platform
    (count,) = struct.unpack_from(">I", head, 4)
    slices = [struct.unpack_from(">IIIII", head, 8 + 20 * index) for index in range(count)]
    architectures = tuple(_ARCHITECTURES.get(cpu, f"cpu {cpu:#x}") for cpu, *_ in slices)
    starts = [offset for _, _, offset, _, _ in slices if offset + 32 <= len(head)]
    return architectures, tuple(platform for offset in starts for platform in _slice(head[offset:])[1])


def _slice(head: bytes) -> tuple[str, tuple[int, ...]]:
    magic, cpu, _, _, commands, _, _ = struct.unpack_from("<IIIIIII", head)
    if magic not in (0xFEEDFACF, 0xFEEDFACE):
        raise ValueError("its executable is no Mach-O file")
    offset = 32 if magic == 0xFEEDFACF else 28
    platforms = []
    for _ in range(commands):
        if offset + 12 > len(head):
            break
        command, size, value = struct.unpack_from("<III", head, offset)
        if command == _LC_BUILD_VERSION:
            platforms.append(value)
        if size < 8:
            break
        offset += size
    return _ARCHITECTURES.get(cpu, f"cpu {cpu:#x}"), tuple(platforms)
