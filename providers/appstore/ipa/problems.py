"""What Apple, or the stack, would refuse about an IPA: all of it at once, before a byte is uploaded. Pure.

    for problem in problems(inspect(path), Expected(bundle_id="com.example.app", short_version="1.0.0", version="0")): ...

Numbers in parentheses are the codes with which Apple would reject the upload (ITMS-90022 and so on; Apple documents few of them, most
are in rejections that developers have published).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from providers.appstore.ipa import mach_o, versions
from providers.appstore.ipa.reader import InfoPlist, Ipa
from providers.errors import Problem, ProblemText

MINIMUM_SDK = "26"
"""The oldest SDK that Apple accepts since 28 April 2026 (https://developer.apple.com/news/upcoming-requirements/). Apple raises it
every spring."""
_ORIENTATIONS = {
    f"UIInterfaceOrientation{name}" for name in ("Portrait", "PortraitUpsideDown", "LandscapeLeft", "LandscapeRight")
}
_IPAD = 2

BUNDLE_ID = ProblemText("ipa", "its bundle ID is '{actual}', the stack's is '{expected}' (90054)")
VERSION_INVALID = ProblemText("ipa", "its {problem} (90060)")
BUILD_INVALID = ProblemText("ipa", "its {problem}")
NUMBER_DIFFERS = ProblemText("ipa", "its {what} is {actual}, the stack's is {expected}")
VALUE_DIFFERS = ProblemText("ipa", "its Info.plist has {key} = {actual}, the stack expects {expected}")
MINIMUM_OS_INVALID = ProblemText("ipa", "its {problem} (90530)")
NEEDS_LATER_OS = ProblemText("ipa", "it needs iOS {actual}, but the stack promises iOS {expected}")
OTHER_PLATFORM = ProblemText("ipa", "its CFBundleSupportedPlatforms is {actual}; it has to be iPhoneOS (90562)")
OLD_SDK = ProblemText(
    "ipa",
    "it is built with {actual}; Apple accepts {expected} or later (90725)",
    remedy="update Xcode and build it again",
)
NO_USAGE_TEXT = ProblemText(
    "ipa", "Info.plist has no text for {key}, which iOS shows when the app asks for permission (90683)"
)
NO_COMPLIANCE = ProblemText(
    "ipa",
    "Info.plist has no ITSAppUsesNonExemptEncryption, so every build waits for an answer in App Store Connect",
)
NO_ICON_NAME = ProblemText(
    "ipa",
    "Info.plist has no icon name (CFBundleIconName) (90713)",
    remedy="put the app's icon into an asset catalogue",
)
NO_ICON = ProblemText("ipa", "it contains no app icon, neither Assets.car nor a 60x60@2x PNG (90022)")
NO_ORIENTATIONS = ProblemText(
    "ipa",
    "it runs on iPads, but not in {missing} (90474)",
    remedy="support these orientations, or set UIRequiresFullScreen",
)
NO_LAUNCH_SCREEN = ProblemText(
    "ipa", "it runs on iPads, but has neither UILaunchStoryboardName nor UILaunchScreen (90475)"
)
OTHER_ARCHITECTURE = ProblemText("ipa", "it is built for {actual}; it has to be built for arm64 devices (90087)")
OS_DIFFERS = ProblemText("ipa", "its executable needs iOS {executable}, its Info.plist says {info} (90208)")
NOT_SIGNED = ProblemText("ipa", "it is not signed (90034)", remedy="archive it with the distribution certificate")
NO_PROFILE = ProblemText("ipa", "it has no embedded.mobileprovision (90174)", remedy="export it for the App Store")
OTHER_KIND = ProblemText(
    "ipa", "its provisioning profile '{name}' is for {kind}; it has to be for the App Store (90161)"
)
PROFILE_EXPIRED = ProblemText("ipa", "its provisioning profile '{name}' expired on {date} (90161)")
PROFILE_EXPIRES = ProblemText("ipa", "its provisioning profile '{name}' expires within a day, on {date}")
OTHER_TEAM = ProblemText(
    "ipa", "its provisioning profile '{name}' belongs to team {actual}, the stack's team is {expected} (90159)"
)
OTHER_APP = ProblemText("ipa", "its provisioning profile '{name}' is for bundle ID {bundle_id} (90164)")
OTHER_CERTIFICATE = ProblemText(
    "ipa",
    "its provisioning profile '{name}' does not contain the stack's distribution certificate",
    remedy="archive it again, with a higher build number",
)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an IPA has to be. None and empty mean: no requirement."""

    bundle_id: str
    short_version: str
    version: str
    minimum_os: str | None = None
    """The IPA must not need a later one, which would exclude testers."""
    minimum_sdk: str | None = MINIMUM_SDK
    info: Mapping[str, str] = field(default_factory=dict)
    """Required values of Info.plist, for example the endpoint."""
    usage_descriptions: Sequence[str] = ()
    """Info.plist keys (NSCameraUsageDescription, …) that need a text. Keys of the kind that are there need one in any case."""
    team_id: str | None = None
    certificate: bytes | None = None
    """DER of the distribution certificate that the profile has to contain."""
    says_export_compliance: bool = False
    """Whether ITSAppUsesNonExemptEncryption has to be there."""


def problems(ipa: Ipa, expected: Expected, now: datetime | None = None) -> list[Problem]:
    """Everything for which Apple, or the stack, would refuse this IPA; empty when it can be uploaded."""
    return [
        *_identity(ipa, expected),
        *_info_plist(ipa, expected),
        *_icons(ipa),
        *_ipad(ipa.info),
        *_executable(ipa),
        *_profile(ipa, expected, now or datetime.now(UTC)),
    ]


def _identity(ipa: Ipa, expected: Expected) -> Iterator[Problem]:
    if ipa.bundle_id != expected.bundle_id:
        yield BUNDLE_ID(actual=ipa.bundle_id, expected=expected.bundle_id)
    for ours, theirs, what, invalid in (
        (expected.short_version, ipa.short_version, "version", VERSION_INVALID),
        (expected.version, ipa.version, "build number", BUILD_INVALID),
    ):
        problem = versions.problem(theirs, what)
        if problem:
            yield invalid(problem=problem)
        elif not versions.is_number(ours) or versions.ordering(theirs) != versions.ordering(ours):
            yield NUMBER_DIFFERS(what=what, actual=theirs, expected=ours)
    for key, value in expected.info.items():
        if ipa.info.get(key) != value:
            yield VALUE_DIFFERS(key=key, actual=ipa.info.get(key, "nothing"), expected=value)


def _info_plist(ipa: Ipa, expected: Expected) -> Iterator[Problem]:
    problem = versions.problem(ipa.minimum_os, "MinimumOSVersion")
    if problem:
        yield MINIMUM_OS_INVALID(problem=problem)
    elif versions.is_number(promised := expected.minimum_os or "") and _is_later(ipa.minimum_os, promised):
        yield NEEDS_LATER_OS(actual=ipa.minimum_os, expected=promised)
    if ipa.info.get("CFBundleSupportedPlatforms") != ["iPhoneOS"]:
        named = ", ".join(map(str, ipa.info.get("CFBundleSupportedPlatforms") or ["nothing"]))
        yield OTHER_PLATFORM(actual=named)
    if expected.minimum_sdk and not (versions.is_number(ipa.sdk) and not _is_later(expected.minimum_sdk, ipa.sdk)):
        yield OLD_SDK(actual=f"SDK {ipa.sdk}" if ipa.sdk else "an unknown SDK", expected=expected.minimum_sdk)
    keys = {*expected.usage_descriptions, *(key for key in ipa.info if key.endswith("UsageDescription"))}
    for key in sorted(keys):
        if not str(ipa.info.get(key, "")).strip():
            yield NO_USAGE_TEXT(key=key)
    if expected.says_export_compliance and ipa.uses_non_exempt_encryption is None:
        yield NO_COMPLIANCE()


def _icons(ipa: Ipa) -> Iterator[Problem]:
    if not ((ipa.info.get("CFBundleIcons") or {}).get("CFBundlePrimaryIcon") or {}).get("CFBundleIconName"):
        yield NO_ICON_NAME()
    if not ipa.has_icon:
        yield NO_ICON()


def _ipad(info: InfoPlist) -> Iterator[Problem]:
    """An iPad can show an app beside others, so it has to support every orientation."""
    if _IPAD not in (info.get("UIDeviceFamily") or ()) or info.get("UIRequiresFullScreen"):
        return
    given = info.get("UISupportedInterfaceOrientations~ipad") or info.get("UISupportedInterfaceOrientations") or ()
    missing = sorted(_ORIENTATIONS - set(given))
    if missing:
        yield NO_ORIENTATIONS(missing=", ".join(missing))
    if not (info.get("UILaunchStoryboardName") or "UILaunchScreen" in info):
        yield NO_LAUNCH_SCREEN()


def _executable(ipa: Ipa) -> Iterator[Problem]:
    architectures = ", ".join(each.architecture for each in ipa.slices) or "no processor (it has no executable)"
    for_simulator = any(each.platform == mach_o.IOS_SIMULATOR for each in ipa.slices)
    if architectures != "arm64" or for_simulator:
        yield OTHER_ARCHITECTURE(actual=f"{architectures}{' (simulator)' if for_simulator else ''}")
    for each in ipa.slices:
        comparable = versions.is_number(each.minimum_os) and versions.is_number(ipa.minimum_os)
        if comparable and versions.ordering(each.minimum_os) != versions.ordering(ipa.minimum_os):
            yield OS_DIFFERS(executable=each.minimum_os, info=ipa.minimum_os)
    if ipa.slices and not (ipa.has_sealed_resources and all(each.signed for each in ipa.slices)):
        yield NOT_SIGNED()


def _profile(ipa: Ipa, expected: Expected, now: datetime) -> Iterator[Problem]:
    profile = ipa.profile
    if profile is None:
        yield NO_PROFILE()
        return
    name = profile.name
    if profile.kind != "App Store":
        yield OTHER_KIND(name=name, kind=profile.kind)
    if profile.expires <= now:
        yield PROFILE_EXPIRED(name=name, date=f"{profile.expires:%Y-%m-%d}")
    elif profile.expires <= now + timedelta(days=1):
        yield PROFILE_EXPIRES(name=name, date=f"{profile.expires:%Y-%m-%d %H:%M} UTC")
    if expected.team_id and profile.team_id != expected.team_id:
        yield OTHER_TEAM(name=name, actual=profile.team_id, expected=expected.team_id)
    if not profile.covers(ipa.bundle_id):
        yield OTHER_APP(name=name, bundle_id=profile.application_id.partition(".")[2])
    if expected.certificate and expected.certificate not in profile.certificates:
        yield OTHER_CERTIFICATE(name=name)


def _is_later(one: str, other: str) -> bool:
    return versions.ordering(one) > versions.ordering(other)
