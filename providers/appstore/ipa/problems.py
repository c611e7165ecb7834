"""What Apple, or the stack, would refuse about an IPA: all of it at once, before a byte is uploaded. Pure.

    for problem in problems(inspect(path), Expected(bundle_id="com.example.app", short_version="1.0.0", version="0")): ...

Numbers in parentheses are the codes with which Apple would reject the upload (ITMS-90022 and so on; Apple documents few of them, most
are in rejections that developers have published).
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from providers.appstore.ipa import bundles, nested, plist, versions
from providers.appstore.ipa.expected import Expected
from providers.appstore.ipa.reader import Bundle, Ipa
from providers.errors import Problem, ProblemText

_ORIENTATIONS = {
    f"UIInterfaceOrientation{name}" for name in ("Portrait", "PortraitUpsideDown", "LandscapeLeft", "LandscapeRight")
}
_IPAD = "2"

BUNDLE_ID = ProblemText("ipa", "its bundle ID is '{actual}', the stack's is '{expected}' (90054)")
VERSION_INVALID = ProblemText("ipa", "its {problem} (90060)")
BUILD_INVALID = ProblemText("ipa", "its {problem} (90058)")
NUMBER_DIFFERS = ProblemText("ipa", "its {what} is {actual}, the stack's is {expected}")
VALUE_DIFFERS = ProblemText("ipa", "its Info.plist has {key} = {actual}, the stack expects {expected}")
MINIMUM_OS_INVALID = ProblemText("ipa", "its {problem} (90530)")
NEEDS_LATER_OS = ProblemText("ipa", "it needs iOS {actual}, but the stack promises iOS {expected}")
OTHER_PLATFORM = ProblemText("ipa", "its CFBundleSupportedPlatforms is {actual}; it has to be iPhoneOS (90562)")
NO_USAGE_TEXT = ProblemText(
    "ipa", "Info.plist has no text for {key}, which iOS shows when the app asks for permission (90683)"
)
NO_COMPLIANCE = ProblemText(
    "ipa",
    "Info.plist has no ITSAppUsesNonExemptEncryption, so every build waits for an answer in App Store Connect",
)
NO_ORIENTATIONS = ProblemText(
    "ipa",
    "it runs on iPads, but not in {missing} (90474)",
    remedy="support these orientations, or set UIRequiresFullScreen",
)
NO_LAUNCH_SCREEN = ProblemText(
    "ipa", "it runs on iPads, but has neither UILaunchStoryboardName nor UILaunchScreen (90475)"
)


def problems(ipa: Ipa, expected: Expected, now: datetime | None = None) -> list[Problem]:
    """Everything for which Apple, or the stack, would refuse this IPA; without warnings, empty when it can be uploaded."""
    now = now or datetime.now(UTC)
    found = [
        *_identity(ipa, expected),
        *_info_plist(ipa, expected),
        *bundles.icon_problems(ipa),
        *_ipad(ipa.info),
        *_executable(ipa),
        *bundles.signature_problems(ipa),
        *bundles.profile_problems(ipa, expected, now),
    ]
    inside = [(bundle, problem) for bundle in ipa.nested for problem in nested.problems(ipa, bundle, expected, now)]
    return [*found, *(_within(*pair) for pair in (*inside, *nested.collisions(ipa)))]


def _within(bundle: Bundle, problem: Problem) -> Problem:
    return replace(problem, message=f"{bundle.path}: {problem.message}")


def _identity(ipa: Ipa, expected: Expected) -> Iterator[Problem]:
    if ipa.bundle_id != expected.bundle_id:
        yield BUNDLE_ID(actual=ipa.bundle_id, expected=expected.bundle_id)
    for ours, theirs, what, parts, invalid in (
        (expected.short_version, ipa.short_version, "version", versions.VERSION_PARTS, VERSION_INVALID),
        (expected.version, ipa.version, "build number", versions.BUILD_PARTS, BUILD_INVALID),
    ):
        problem = versions.problem(theirs, what, parts)
        if problem:
            yield invalid(problem=problem)
        elif not versions.is_build(ours) or versions.ordering(theirs) != versions.ordering(ours):
            yield NUMBER_DIFFERS(what=what, actual=theirs, expected=ours)
    for key, value in expected.info.items():
        if ipa.info.get(key) != value:
            yield VALUE_DIFFERS(key=key, actual=plist.describe(ipa.info.get(key)), expected=value)


def _info_plist(ipa: Ipa, expected: Expected) -> Iterator[Problem]:
    problem = versions.problem(ipa.minimum_os, "MinimumOSVersion")
    if problem:
        yield MINIMUM_OS_INVALID(problem=problem)
    elif versions.is_number(promised := expected.minimum_os or "") and bundles.is_later(ipa.minimum_os, promised):
        yield NEEDS_LATER_OS(actual=ipa.minimum_os, expected=promised)
    platforms = plist.texts(ipa.info, "CFBundleSupportedPlatforms")
    if platforms != ["iPhoneOS"]:
        yield OTHER_PLATFORM(actual=", ".join(platforms) or "nothing")
    yield from bundles.sdk_problems(ipa, expected)
    keys = {*expected.usage_descriptions, *(key for key in ipa.info if key.endswith("UsageDescription"))}
    for key in sorted(keys):
        if not plist.text(ipa.info, key).strip():
            yield NO_USAGE_TEXT(key=key)
    if expected.says_export_compliance and ipa.uses_non_exempt_encryption is None:
        yield NO_COMPLIANCE()


def _ipad(info: plist.Plist) -> Iterator[Problem]:
    """An iPad can show an app beside others, so it has to support every orientation."""
    if _IPAD not in plist.texts(info, "UIDeviceFamily") or plist.flag(info, "UIRequiresFullScreen"):
        return
    key = "UISupportedInterfaceOrientations"
    missing = sorted(_ORIENTATIONS - set(plist.texts(info, f"{key}~ipad") or plist.texts(info, key)))
    if missing:
        yield NO_ORIENTATIONS(missing=", ".join(missing))
    if not (info.get("UILaunchStoryboardName") or "UILaunchScreen" in info):
        yield NO_LAUNCH_SCREEN()


def _executable(ipa: Ipa) -> Iterator[Problem]:
    yield from bundles.architecture_problems(ipa, only=("arm64",))
    for part in ipa.slices:
        comparable = versions.is_number(part.minimum_os) and versions.is_number(ipa.minimum_os)
        if comparable and versions.ordering(part.minimum_os) != versions.ordering(ipa.minimum_os):
            yield bundles.OS_DIFFERS(executable=part.minimum_os, info=ipa.minimum_os)
