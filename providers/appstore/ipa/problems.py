"""What Apple, or the stack, would refuse about an IPA: all of it at once, before a byte is uploaded. Pure.

    for problem in problems(inspect(path), Expected(bundle_id="com.example.app", short_version="1.0.0", version="0")): ...

Numbers in parentheses are Apple's own codes (ITMS-…), those with which it would refuse the upload: from app-store-connect.md, 13.2,
and from refusals that people have shown (fastlane #7988: 90159; airsdk #137: 90164, #866: 90034; eas-cli #179: 90474).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from providers.appstore.ipa import mach_o, versions
from providers.appstore.ipa.reader import Ipa

MINIMUM_SDK = "26"
"""What Apple takes since 28 April 2026 (keymanapp/keyman #15475). It raises the number every spring."""
_ORIENTATIONS = {
    f"UIInterfaceOrientation{name}" for name in ("Portrait", "PortraitUpsideDown", "LandscapeLeft", "LandscapeRight")
}
_IPAD = 2


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an IPA shall be. None and empty mean: whatever it is."""

    bundle_id: str
    short_version: str
    version: str
    minimum_os: str | None = None
    """The IPA may not ask for a later one, which would shut testers out."""
    minimum_sdk: str | None = MINIMUM_SDK
    info: Mapping[str, str] = field(default_factory=dict)
    """Values of Info.plist that have to be as given: the endpoint, say."""
    usage_descriptions: Sequence[str] = ()
    """Info.plist keys (NSCameraUsageDescription, …) that may not be missing. None that is there may be empty."""
    team_id: str | None = None
    certificate: bytes | None = None
    """DER of the distribution certificate that the profile has to contain."""
    says_export_compliance: bool = False
    """Whether ITSAppUsesNonExemptEncryption has to be there."""


def problems(ipa: Ipa, expected: Expected, now: datetime | None = None) -> list[str]:
    """Everything for which Apple, or we, would refuse this IPA; empty when it may go up."""
    return [
        *_identity(ipa, expected),
        *_info_plist(ipa, expected),
        *_icons(ipa),
        *_ipad(ipa.info),
        *_program(ipa),
        *_profile(ipa, expected, now or datetime.now(UTC)),
    ]


def _identity(ipa: Ipa, expected: Expected) -> Iterator[str]:
    if ipa.bundle_id != expected.bundle_id:
        yield f"its bundle ID is '{ipa.bundle_id}', the stack's is '{expected.bundle_id}' (90054)"
    for ours, theirs, what, code in (
        (expected.short_version, ipa.short_version, "version", " (90060)"),
        (expected.version, ipa.version, "build number", ""),
    ):
        malformed = versions.problem(theirs, what)
        if malformed:
            yield f"its {malformed}{code}"
        elif not versions.is_number(ours) or versions.ordering(theirs) != versions.ordering(ours):
            yield f"its {what} is {theirs}, the stack's is {ours}"
    for key, value in expected.info.items():
        if ipa.info.get(key) != value:
            yield f"its Info.plist says {key} = {ipa.info.get(key, 'nothing')}, the stack {value}"


def _info_plist(ipa: Ipa, expected: Expected) -> Iterator[str]:
    malformed = versions.problem(ipa.minimum_os, "MinimumOSVersion")
    if malformed:
        yield f"its {malformed} (90530)"
    elif versions.is_number(promised := expected.minimum_os or "") and _is_later(ipa.minimum_os, promised):
        yield f"it needs iOS {ipa.minimum_os}, but the stack promises iOS {promised}"
    if ipa.info.get("CFBundleSupportedPlatforms") != ["iPhoneOS"]:
        named = ", ".join(map(str, ipa.info.get("CFBundleSupportedPlatforms") or ["nothing"]))
        yield f"its CFBundleSupportedPlatforms is {named}, it has to be iPhoneOS (90562)"
    if expected.minimum_sdk and not (versions.is_number(ipa.sdk) and not _is_later(expected.minimum_sdk, ipa.sdk)):
        built = f"SDK {ipa.sdk}" if ipa.sdk else "an SDK that it does not name"
        yield f"it was built with {built}, Apple takes {expected.minimum_sdk} or later (90725): update Xcode"
    asked = {*expected.usage_descriptions, *(key for key in ipa.info if key.endswith("UsageDescription"))}
    for key in sorted(asked):
        if not str(ipa.info.get(key, "")).strip():
            yield f"Info.plist has no text for {key}, which is shown when the app asks for permission (90683)"
    if expected.says_export_compliance and ipa.uses_non_exempt_encryption is None:
        yield "Info.plist has no ITSAppUsesNonExemptEncryption: without it each build waits for an answer on the website"


def _icons(ipa: Ipa) -> Iterator[str]:
    if not ((ipa.info.get("CFBundleIcons") or {}).get("CFBundlePrimaryIcon") or {}).get("CFBundleIconName"):
        yield "Info.plist names no icon set (CFBundleIconName): the app needs an asset catalogue with its icon (90713)"
    if not ipa.has_icon:
        yield "it contains no app icon, neither Assets.car nor a 60x60@2x PNG (90022)"


def _ipad(info: Mapping[str, Any]) -> Iterator[str]:
    """An app that an iPad runs beside others has to be ready for any shape."""
    if _IPAD not in (info.get("UIDeviceFamily") or ()) or info.get("UIRequiresFullScreen"):
        return
    given = info.get("UISupportedInterfaceOrientations~ipad") or info.get("UISupportedInterfaceOrientations") or ()
    missing = sorted(_ORIENTATIONS - set(given))
    if missing:
        yield f"it runs on iPads, but not in {', '.join(missing)}: support these, or set UIRequiresFullScreen (90474)"
    if not (info.get("UILaunchStoryboardName") or "UILaunchScreen" in info):
        yield "it runs on iPads, but has neither UILaunchStoryboardName nor UILaunchScreen (90475)"


def _program(ipa: Ipa) -> Iterator[str]:
    built = ", ".join(each.architecture for each in ipa.slices) or "no executable"
    for_simulator = any(each.platform == mach_o.IOS_SIMULATOR for each in ipa.slices)
    if built != "arm64" or for_simulator:
        yield f"it is built for {built}{' (simulator)' if for_simulator else ''}, it has to be for arm64 devices (90087)"
    for each in ipa.slices:
        comparable = versions.is_number(each.minimum_os) and versions.is_number(ipa.minimum_os)
        if comparable and versions.ordering(each.minimum_os) != versions.ordering(ipa.minimum_os):
            yield f"its executable needs iOS {each.minimum_os}, its Info.plist says {ipa.minimum_os} (90208)"
    if ipa.slices and not (ipa.has_sealed_resources and all(each.signed for each in ipa.slices)):
        yield "it is not signed: archive it with the distribution certificate (90034)"


def _profile(ipa: Ipa, expected: Expected, now: datetime) -> Iterator[str]:
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
        yield f"{named} belongs to team {profile.team_id}, the stack's is {expected.team_id} (90159)"
    if not profile.covers(ipa.bundle_id):
        yield f"{named} is for bundle ID {profile.application_id.partition('.')[2]} (90164)"
    if expected.certificate and expected.certificate not in profile.certificates:
        yield f"{named} does not contain the stack's distribution certificate: archive it anew, as a higher build"


def _is_later(one: str, other: str) -> bool:
    return versions.ordering(one) > versions.ordering(other)
