"""The rows of the iOS build: identity, signing, and the uploaded build.

All of them block: what they prove is in the build that testers run, and cannot be changed without another build. `signing` blocks
although the build is already signed: without a valid certificate and profile, no fix for what testers find can be built.
"""

from collections.abc import Callable, Mapping

import msgspec

from checklist.backend import UP, Rollout
from checklist.known import Known, Shape
from checklist.row import Failed, Missing, Phase, need, row

SIGNING = "Signing"
NO_BUILD = "no build yet"
SET_IPA = "set `ipa` to the path of the IPA, then run `pulumi up`"
PROCESS = "run `pulumi up`, which waits for it, or says why Apple rejected it"


class BundleId(Shape, frozen=True, kw_only=True):
    kind = "appstore:BundleId"

    identifier: str


class App(Shape, frozen=True, kw_only=True):
    kind = "appstore:App"

    name: str
    sku: str


class Certificate(Shape, frozen=True, kw_only=True):
    kind = "appstore:Certificate"

    name: str
    serial_number: str
    expires_at: str


class Profile(Shape, frozen=True, kw_only=True):
    kind = "appstore:Profile"

    full_name: str
    profile_state: str
    expires_at: str


class BuildUpload(Shape, frozen=True, kw_only=True):
    kind = "appstore:BuildUpload"

    short_version: str
    version: str
    sha256: str
    upload_id: str
    info: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Keys of the Info.plist that were checked, with their values."""

    @property
    def name(self) -> str:
        """As TestFlight shows it."""
        return f"{self.short_version} ({self.version})"


class ProcessedBuild(Shape, frozen=True, kw_only=True):
    kind = "appstore:ProcessedBuild"

    build_id: str
    upload_id: str
    short_version: str
    version: str
    uploaded_at: str = ""


def uploaded_build(known: Known) -> BuildUpload:
    """The build that is uploaded. Raises Missing while there is none."""
    found = known.first(BuildUpload)
    if found is None:
        raise Missing(NO_BUILD, remedy=SET_IPA)
    return found


def current_build(known: Known) -> ProcessedBuild:
    """The build that is uploaded, once Apple has processed it. Raises Missing while only an earlier one is processed."""
    build, processed = uploaded_build(known), need(known, ProcessedBuild)
    if processed.upload_id != build.upload_id:
        raise Missing(f"Apple has not processed {build.name} yet", remedy=PROCESS)
    return processed


def apple_page(page: str) -> Callable[[Known], str]:
    """A link to a page of the app in App Store Connect."""
    return lambda known: f"https://appstoreconnect.apple.com/apps/{need(known, App).id}{page}"


def app_bundle_ids(known: Known) -> list[BundleId]:
    """The app's bundle ID, then those of its extensions, which extend it."""
    need(known, BundleId)
    return sorted(known.all(BundleId), key=lambda bundle_id: len(bundle_id.identifier))


@row(
    "bundle-id",
    Phase.IOS_BUILD,
    "Bundle ID registered",
    absent="the bundle ID is not registered yet",
    remedy=UP,
    link=lambda known: (
        f"https://developer.apple.com/account/resources/identifiers/bundleId/edit/{app_bundle_ids(known)[0].id}"
    ),
)
def bundle_id(known: Known) -> str:
    """The identifier of the app."""
    app, *extensions = app_bundle_ids(known)
    inside = f", and {len(extensions)} of extensions" if extensions else ""
    return f"{app.identifier} ({app.id}){inside}"


@row(
    "app-record",
    Phase.IOS_BUILD,
    "App record in App Store Connect",
    absent="there is no app record yet",
    remedy="create it in App Store Connect as `pulumi up` says, then run `pulumi up`",
    link=apple_page("/distribution"),
)
def app_record(known: Known) -> str:
    """A person creates it; the API cannot."""
    found = need(known, App)
    return f"{found.name}, Apple ID {found.id}, SKU {found.sku}"


@row(
    "signing",
    Phase.IOS_BUILD,
    "Distribution certificate and profile",
    absent="the stack manages no certificate and profile",
    remedy="set `signing`, or waive this row if builds are signed elsewhere",
)
def signing(known: Known) -> str:
    """Both exist and are valid today."""
    if None in (known.first(Certificate), known.first(Profile)) and known.has_component(SIGNING):
        raise Missing("the certificate and the profile are not created yet", remedy=UP)
    certificate, first = need(known, Certificate), need(known, Profile)
    profiles = [*known.all(Profile)]
    expiries = [("certificate", certificate.expires_at)]
    for profile in profiles:
        if profile.profile_state != "ACTIVE":
            raise Failed(
                f"profile '{profile.full_name}' is {profile.profile_state}", remedy="run `pulumi up`, which replaces it"
            )
        expiries.append(("profile", profile.expires_at))
    for what, expires_at in expiries:
        if expires_at <= known.now.isoformat():
            raise Failed(f"the {what} expired {expires_at[:10]}", remedy="run `pulumi up`, which renews it")
    others = f", and {len(profiles) - 1} of extensions" if len(profiles) > 1 else ""
    return (
        f"{certificate.name}, serial number {certificate.serial_number}, until {certificate.expires_at[:10]}; "
        f"profile '{first.full_name}' until {first.expires_at[:10]}{others}"
    )


@row(
    "endpoint",
    Phase.IOS_BUILD,
    "Release build points at production",
    absent=NO_BUILD,
    remedy=UP,
)
def endpoint(known: Known) -> str:
    """The Info.plist of the uploaded build has the URL of the backend that was verified."""
    build = uploaded_build(known)
    backend = known.first(Rollout)
    if backend is None:
        raise Missing("the backend that the build should point at is not verified yet")
    key = next((key for key, value in build.info.items() if value == backend.url), None)
    if key is None:
        raise Failed(
            f"no key of the build's Info.plist is {backend.url}",
            remedy="build with that URL, raise `build`, and run `pulumi up`",
        )
    return f"Info.plist of the uploaded build: {key} = {backend.url}"


@row(
    "uploaded",
    Phase.IOS_BUILD,
    "Build uploaded",
    absent=NO_BUILD,
    remedy=UP,
    link=apple_page("/testflight/ios"),
)
def uploaded(known: Known) -> str:
    """The IPA was uploaded to App Store Connect."""
    build = uploaded_build(known)
    return f"{build.short_version} ({build.version}), sha256:{build.sha256}, upload {build.upload_id}"


@row(
    "processed",
    Phase.IOS_BUILD,
    "Build processed by Apple",
    absent="Apple has not processed the build yet",
    remedy=PROCESS,
    link=apple_page("/testflight/ios"),
)
def processed(known: Known) -> str:
    """Apple has accepted the build."""
    build = current_build(known)
    return f"build {build.build_id}, {build.short_version} ({build.version})"


ROWS = (bundle_id, app_record, signing, endpoint, uploaded, processed)
