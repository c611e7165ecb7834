"""What Apple would refuse about the bundles inside an app: extensions, App Clips, watch apps and frameworks."""

from collections.abc import Iterator
from datetime import datetime

from providers.appstore.ipa import bundles, versions
from providers.appstore.ipa.expected import Expected
from providers.appstore.ipa.reader import APP_CLIP, EXTENSION, FRAMEWORK, WATCH_APP, Bundle, Ipa
from providers.errors import Problem, ProblemText

DEVICES = ("arm64", "arm64_32", "armv7")
"""Architectures of iPhones, iPads and watches, old ones included."""

OTHER_PREFIX = ProblemText(
    "ipa", "its bundle ID is '{actual}'; it has to be '{parent}', a dot, and a name without dots (90347)"
)
SAME_BUNDLE_ID = ProblemText("ipa", "its bundle ID '{bundle_id}' is also that of {other} (90685)")
NUMBER_DIFFERS = ProblemText(
    "ipa", "its {what} is {actual}, the app's is {expected} (90379)", remedy="set the same numbers for all targets"
)
NUMBER_DIFFERS_FROM_APP = ProblemText(
    "ipa",
    "its {what} is {actual}, the app's is {expected}, of which Apple warns (90473)",
    remedy="set the same numbers for all targets",
    is_warning=True,
)
NO_VERSION = ProblemText("ipa", "its Info.plist has no CFBundleShortVersionString (90057)")
NO_BUILD = ProblemText("ipa", "its Info.plist has no CFBundleVersion (90056)")
HAS_FRAMEWORKS = ProblemText(
    "ipa",
    "it contains frameworks, which only the app may (90206)",
    remedy="embed them in the app, and set ALWAYS_EMBED_SWIFT_STANDARD_LIBRARIES = NO for this target",
)


def problems(ipa: Ipa, bundle: Bundle, expected: Expected, now: datetime) -> Iterator[Problem]:
    """What Apple would refuse about one of the bundles inside an app."""
    parent = _parent(ipa, bundle)
    if bundle.kind != FRAMEWORK:
        yield from _identifier(bundle, parent)
        yield from _numbers(ipa, bundle)
        yield from bundles.sdk_problems(bundle, expected)
        yield from bundles.profile_problems(bundle, expected, now)
        yield from bundles.signature_problems(bundle)
        only = DEVICES if WATCH_APP in (bundle.kind, parent.kind) else ("arm64",)
        yield from bundles.architecture_problems(bundle, only=only)
    else:
        if not bundle.short_version:
            yield NO_VERSION()
        if not bundle.version:
            yield NO_BUILD()
        if bundle.slices:
            yield from bundles.architecture_problems(bundle, only=DEVICES)
    yield from bundles.minimum_os_problems(bundle)
    if bundle.kind in (APP_CLIP, WATCH_APP):
        yield from bundles.icon_problems(bundle)
    if bundle.kind in (EXTENSION, FRAMEWORK) and any(
        inner.path.startswith(f"{bundle.path}/Frameworks/") for inner in ipa.nested
    ):
        yield HAS_FRAMEWORKS()


def collisions(ipa: Ipa) -> Iterator[tuple[Bundle, Problem]]:
    """Bundles that have the same bundle ID as one before them."""
    known: dict[str, Bundle] = {}
    for bundle in (ipa, *ipa.nested):
        other = known.setdefault(bundle.bundle_id, bundle)
        if bundle.bundle_id and other is not bundle:
            yield bundle, SAME_BUNDLE_ID(bundle_id=bundle.bundle_id, other=other.path or "the app")


def _identifier(bundle: Bundle, parent: Bundle) -> Iterator[Problem]:
    prefix, name = f"{parent.bundle_id}.", bundle.bundle_id.removeprefix(f"{parent.bundle_id}.")
    if not bundle.bundle_id.startswith(prefix) or not name or "." in name:
        yield OTHER_PREFIX(actual=bundle.bundle_id, parent=parent.bundle_id)


def _numbers(ipa: Ipa, bundle: Bundle) -> Iterator[Problem]:
    """Apple rejects a watch app or an App Clip with other numbers than the app, and warns of an extension."""
    text = NUMBER_DIFFERS if bundle.kind in (APP_CLIP, WATCH_APP) else NUMBER_DIFFERS_FROM_APP
    for what, actual, wanted, missing in (
        ("version", bundle.short_version, ipa.short_version, NO_VERSION),
        ("build number", bundle.version, ipa.version, NO_BUILD),
    ):
        if not actual:
            yield missing()
        elif not _is_same(actual, wanted):
            yield text(what=what, actual=actual, expected=wanted)


def _is_same(one: str, other: str) -> bool:
    if versions.is_build(one) and versions.is_build(other):
        return versions.ordering(one) == versions.ordering(other)
    return one == other


def _parent(ipa: Ipa, bundle: Bundle) -> Bundle:
    """The bundle that contains it directly."""
    around = [outer for outer in ipa.nested if bundle.path.startswith(f"{outer.path}/")]
    return max(around, key=lambda outer: len(outer.path), default=ipa)
