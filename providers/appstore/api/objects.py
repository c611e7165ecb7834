"""Apple's objects, as far as we use them (https://developer.apple.com/documentation/appstoreconnectapi).

Each class is one type of resource. A field is an attribute or a relationship, under Apple's name in snake case: `min_os_version` is
`minOsVersion`. Fields without a default must be in every response; the default of any other field stands for an attribute that Apple
leaves out or sends as null. A relationship is another object where the call asked to include it, and a `Ref` otherwise.

`documents.py` makes these objects of Apple's responses. Times stay in Apple's form, ISO 8601.
"""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from providers.decoding import Base64, Instant, Url


class Part(msgspec.Struct, kw_only=True, rename="camel"):
    """An object inside an attribute."""


class Ref(msgspec.Struct, kw_only=True, frozen=True):
    """Where an object is: `/v1/<type>/<id>`. As the value of a relationship it is what Apple calls a linkage."""

    type: str
    id: str

    @property
    def path(self) -> str:
        return f"/v1/{self.type}/{self.id}"


class Resource(Part):
    """Base of all objects. `type` is Apple's name of the type, as in paths and documents."""

    type: ClassVar[str]
    id: str

    @classmethod
    def ref(cls, id: str) -> Ref:
        """The reference to the object of this type with that id."""
        return Ref(type=cls.type, id=id)


class App(Resource):
    type: ClassVar[str] = "apps"
    bundle_id: str
    name: str
    sku: str
    primary_locale: str | None = None
    content_rights_declaration: str | None = None
    accessibility_url: str | None = None
    streamlined_purchasing_enabled: bool | None = None
    subscription_status_url: str | None = None
    subscription_status_url_version: str | None = None
    subscription_status_url_for_sandbox: str | None = None
    subscription_status_url_version_for_sandbox: str | None = None


class BundleId(Resource):
    type: ClassVar[str] = "bundleIds"
    identifier: str
    name: str
    platform: str
    app: Ref | None = None


class BundleIdWithCapabilities(Resource):
    type: ClassVar[str] = "bundleIds"
    bundle_id_capabilities: "list[BundleIdCapability]"
    """Every iOS app has some by default."""


class CapabilityOption(Part):
    key: str
    enabled: bool | None = None


class CapabilitySetting(Part):
    key: str
    options: list[CapabilityOption] = []


class BundleIdCapability(Resource):
    type: ClassVar[str] = "bundleIdCapabilities"
    capability_type: str
    settings: list[CapabilitySetting] = []
    bundle_id: Ref | None = None


class Certificate(Resource):
    type: ClassVar[str] = "certificates"
    certificate_type: str
    certificate_content: Base64 = Base64("")
    """DER in base64; empty while Apple has not issued it yet."""
    name: str = ""
    display_name: str = ""
    serial_number: str = ""
    expiration_date: Instant | None = None
    csr_content: str = ""


class Profile(Resource):
    type: ClassVar[str] = "profiles"
    name: str
    profile_type: str
    profile_state: str
    """ACTIVE or INVALID."""
    profile_content: Base64
    """The .mobileprovision file in base64."""
    uuid: str
    expiration_date: Instant
    bundle_id: Ref | None = None
    certificates: list[Ref] | None = None


class User(Resource):
    type: ClassVar[str] = "users"
    username: str
    """The address."""


class UserInvitation(Resource):
    type: ClassVar[str] = "userInvitations"
    email: str
    expiration_date: Instant | None = None
    first_name: str | None = None
    last_name: str | None = None
    roles: list[str] = []
    all_apps_visible: bool = False
    visible_apps: list[Ref] = []


class BetaGroup(Resource):
    type: ClassVar[str] = "betaGroups"
    name: str
    is_internal_group: bool = False
    has_access_to_all_builds: bool = False
    feedback_enabled: bool = False
    created_date: Instant | None = None
    app: Ref | None = None


class AppDevice(Part):
    """A tester's device, and the build of the app on it: `1.0.0 (0)`."""

    model: str = "unknown"
    os_version: str = "unknown"
    app_build_version: str = "unknown"


class BetaTester(Resource):
    type: ClassVar[str] = "betaTesters"
    email: str = ""
    """Empty for a tester who came by a public link."""
    first_name: str | None = None
    last_name: str | None = None
    state: str = ""
    """NOT_INVITED, INVITED, ACCEPTED, INSTALLED or REVOKED."""
    app_devices: list[AppDevice] = []
    beta_groups: list[Ref] = []


class StateProblem(Part):
    code: str = ""
    description: str = ""


class DeliveryState(Part):
    """The state of an upload, or of its file."""

    state: str = ""
    errors: list[StateProblem] = []
    warnings: list[StateProblem] = []


class RequestHeader(Part):
    name: str
    value: str


class UploadOperation(Part):
    """One request that sends one range of a file."""

    method: str
    url: Url
    offset: Annotated[int, Meta(ge=0)]
    length: Annotated[int, Meta(ge=0)]
    request_headers: list[RequestHeader] = []
    expiration: Instant | None = None


class BuildUploadFile(Resource):
    type: ClassVar[str] = "buildUploadFiles"
    file_name: str
    file_size: int
    asset_type: str
    uti: str = ""
    asset_delivery_state: DeliveryState = msgspec.field(default_factory=DeliveryState)
    upload_operations: list[UploadOperation] = []
    uploaded: bool = False
    """Set to commit the upload; Apple does not send it."""
    build_upload: Ref | None = None


class BuildUpload(Resource):
    type: ClassVar[str] = "buildUploads"
    cf_bundle_short_version_string: str
    cf_bundle_version: str
    platform: str
    state: DeliveryState = msgspec.field(default_factory=DeliveryState)
    asset_file: BuildUploadFile | None = None
    build: Ref | None = None
    app: Ref | None = None


class BuildBetaDetail(Resource):
    type: ClassVar[str] = "buildBetaDetails"
    internal_build_state: str
    auto_notify_enabled: bool = False


class PreReleaseVersion(Resource):
    type: ClassVar[str] = "preReleaseVersions"
    version: str
    platform: str = "IOS"


class Build(Resource):
    type: ClassVar[str] = "builds"
    version: str
    """The build number."""
    processing_state: str = "PROCESSING"
    min_os_version: str | None = None
    uploaded_date: Instant | None = None
    expiration_date: Instant | None = None
    expired: bool = False
    uses_non_exempt_encryption: bool | None = None
    beta_groups: list[Ref] = []
    build_beta_detail: BuildBetaDetail | None = None
    pre_release_version: PreReleaseVersion | None = None


class BetaBuildLocalization(Resource):
    type: ClassVar[str] = "betaBuildLocalizations"
    locale: str
    whats_new: str = ""
    build: Ref | None = None


class BetaAppLocalization(Resource):
    type: ClassVar[str] = "betaAppLocalizations"
    locale: str
    feedback_email: str | None = None
    description: str | None = None
    app: Ref | None = None


class BetaFeedback(Resource):
    """A report that a tester has sent from a device."""

    email: str = "unknown"
    device_model: str = "unknown"
    os_version: str = "unknown"
    created_date: Instant | None = None
    comment: str = ""


class BetaFeedbackCrashSubmission(BetaFeedback):
    type: ClassVar[str] = "betaFeedbackCrashSubmissions"


class BetaFeedbackScreenshotSubmission(BetaFeedback):
    type: ClassVar[str] = "betaFeedbackScreenshotSubmissions"


FEEDBACK: dict[str, type[BetaFeedback]] = {
    "crash": BetaFeedbackCrashSubmission,
    "screenshot": BetaFeedbackScreenshotSubmission,
}
"""The kinds of reports that testers send from their devices."""


class BetaBuildUsage(Part):
    """What Apple has counted of a build in one period."""

    session_count: int = 0
    crash_count: int = 0
    feedback_count: int = 0
