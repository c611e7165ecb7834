"""What Apple would refuse about any bundle of an IPA: the app, an extension, an App Clip, a watch app, a framework.

The numbers are those of `problems.py`. Texts do not name the bundle: `problems.py` puts its path before those of nested ones.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from providers.appstore.ipa import mach_o, versions
from providers.appstore.ipa.expected import Expected
from providers.appstore.ipa.reader import Bundle
from providers.errors import Problem, ProblemText

NO_ICON_NAME = ProblemText(
    "ipa",
    "Info.plist has no icon name (CFBundleIconName) (90713)",
    remedy="put the app's icon into an asset catalogue",
)
NO_ICON = ProblemText("ipa", "it contains no app icon, neither Assets.car nor a 60x60@2x PNG (90022)")
OLD_SDK = ProblemText(
    "ipa",
    "it is built with {actual}; Apple accepts {expected} or later (90725)",
    remedy="update Xcode and build it again",
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
NOT_ENTITLED = ProblemText(
    "ipa",
    "its provisioning profile '{name}' does not allow its entitlements {keys} (90164)",
    remedy="add the capabilities to the stack (`capabilities`, `extensions`), and archive it with the new profile",
)
OTHER_CERTIFICATE = ProblemText(
    "ipa",
    "its provisioning profile '{name}' does not contain the stack's distribution certificate",
    remedy="archive it again, with a higher build number",
)


def icon_problems(bundle: Bundle) -> Iterator[Problem]:
    if not bundle.icon_name:
        yield NO_ICON_NAME()
    if not bundle.has_icon:
        yield NO_ICON()


def sdk_problems(bundle: Bundle, expected: Expected) -> Iterator[Problem]:
    oldest = expected.minimum_sdk
    if oldest and not (versions.is_number(bundle.sdk) and not is_later(oldest, bundle.sdk)):
        yield OLD_SDK(actual=f"SDK {bundle.sdk}" if bundle.sdk else "an unknown SDK", expected=oldest)


def architecture_problems(bundle: Bundle, *, only: tuple[str, ...]) -> Iterator[Problem]:
    """`only` are the architectures that it may be built for; it has to be built for one."""
    named = [part.architecture for part in bundle.slices]
    for_simulator = any(part.platform in mach_o.SIMULATORS for part in bundle.slices)
    if not named or not set(named) <= set(only) or for_simulator:
        built = ", ".join(named) or "no processor (it has no executable)"
        yield OTHER_ARCHITECTURE(actual=f"{built}{' (simulator)' if for_simulator else ''}")


def minimum_os_problems(bundle: Bundle) -> Iterator[Problem]:
    """The executable must not need a later system than Info.plist says."""
    for part in bundle.slices:
        known = versions.is_number(part.minimum_os) and versions.is_number(bundle.minimum_os)
        if known and is_later(part.minimum_os, bundle.minimum_os):
            yield OS_DIFFERS(executable=part.minimum_os, info=bundle.minimum_os)


def signature_problems(bundle: Bundle) -> Iterator[Problem]:
    if bundle.slices and not (bundle.has_sealed_resources and all(part.signed for part in bundle.slices)):
        yield NOT_SIGNED()


def profile_problems(bundle: Bundle, expected: Expected, now: datetime) -> Iterator[Problem]:
    profile = bundle.profile
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
    if not profile.covers(bundle.bundle_id):
        yield OTHER_APP(name=name, bundle_id=profile.application_id.partition(".")[2])
    elif refused := profile.refused(bundle.entitlements or {}):
        yield NOT_ENTITLED(name=name, keys=", ".join(refused))
    if expected.certificate and expected.certificate not in profile.certificates:
        yield OTHER_CERTIFICATE(name=name)


def is_later(one: str, other: str) -> bool:
    return versions.ordering(one) > versions.ordering(other)
