"""What builds are signed with: a private key in the stack's state, a distribution certificate, and provisioning profiles: one for the
app, and one for each extension, App Clip or watch app inside it.

`signing` turns it on; without it, builds are signed elsewhere. `signingSecrets` holds the PKCS#12 of an existing
certificate, which is used instead of a new one.
"""

import re
from collections.abc import Mapping
from typing import cast

import msgspec
import pulumi

from components.base import Component
from components.config import Confidential, SettingText, StackConfig
from providers.appstore.bundle_id import BundleId, BundleIdArgs, name_for
from providers.appstore.bundle_id_capabilities import (
    BundleIdCapabilities,
    BundleIdCapabilitiesArgs,
    Capabilities,
    problems,
)
from providers.appstore.certificate import Certificate, CertificateArgs, CertificateProvider, CertificateType
from providers.appstore.profile import Profile, ProfileArgs, ProfileProvider
from providers.appstore.signing_key import SigningKey, SigningKeyArgs, SigningKeyProvider
from providers.appstore.survey import Survey

TYPES = ("DISTRIBUTION", "IOS_DISTRIBUTION")
KEYS = ("certificate", "profile", "renewBeforeDays", "revokeReplaced")
SECRETS = ("p12", "password")

UNUSED_SECRETS = SettingText(
    "signingSecrets", "is set, and `signing` is empty", remedy="set `signing.certificate`, or remove it"
)
UNUSED_EXTENSIONS = SettingText(
    "extensions", "is set, and `signing` is empty", remedy="set `signing.certificate`, or remove it"
)
NOT_AN_EXTENSION = SettingText(
    "extensions",
    "'{name}' is not the end of a bundle ID",
    remedy="write what follows the app's bundle ID and a dot: Share",
)


class SigningSettings(Confidential, frozen=True, kw_only=True):
    certificate: CertificateType
    """Its type, one of TYPES."""
    profile: str
    """Prefix of the profile's name."""
    renew_before_days: int
    revoke: bool
    """Whether a replaced certificate is revoked."""
    extensions: Mapping[str, Capabilities] = msgspec.field(default_factory=dict)
    """The capabilities of each extension, App Clip or watch app, by the end of its bundle ID."""
    p12: str = ""
    """An existing certificate with its key, in base64; empty to create one."""
    p12_password: str = ""


def read_capabilities(config: StackConfig) -> Capabilities:
    """Read `capabilities`; problems are added to `config`."""
    capabilities = config.nested("capabilities")
    config.refuse_all("capabilities", problems(capabilities))
    return capabilities


def read(config: StackConfig, app_name: str) -> SigningSettings | None:
    """Read `signing` and `signingSecrets`; None when builds are signed elsewhere."""
    given, secrets = config.table("signing", KEYS), config.secrets("signingSecrets", SECRETS)
    extensions = _read_extensions(config)
    if not given:
        if secrets:
            config.refuse(UNUSED_SECRETS(), lacks=("signing",))
        if extensions:
            config.refuse(UNUSED_EXTENSIONS(), lacks=("signing",))
        return None
    if given.get("certificate") not in TYPES:
        config.refuse_other("signing.certificate", given.get("certificate", ""), TYPES)
        return None
    settings = SigningSettings(
        certificate=cast(CertificateType, given["certificate"]),
        profile=given.get("profile", f"{app_name} App Store"),
        renew_before_days=config.whole_in("signing", given, "renewBeforeDays", default=30),
        revoke=config.flag_in("signing", given, "revokeReplaced", default=False),
        extensions=extensions,
        p12=secrets.get("p12", ""),
        p12_password=secrets.get("password", ""),
    )
    certificate = CertificateArgs(private_key="", csr="", renew_before_days=settings.renew_before_days)
    config.refuse_all("signing.renewBeforeDays", CertificateProvider().validate(certificate, None))
    profile = ProfileArgs(name=settings.profile, bundle_id="", certificate_ids=[""])
    config.refuse_all("signing.profile", ProfileProvider().validate(profile, None))
    key = SigningKeyArgs(p12=settings.p12 or None, p12_password=settings.p12_password or None)
    config.refuse_all("signingSecrets.p12", SigningKeyProvider().validate(key, None))
    return settings


def _read_extensions(config: StackConfig) -> dict[str, Capabilities]:
    extensions: dict[str, Capabilities] = {}
    for name, types in config.table("extensions").items():
        if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", name):
            config.refuse(NOT_AN_EXTENSION(name=name))
        extensions[name] = {type: {} for type in types.split()}
        config.refuse_all("extensions", problems(extensions[name]))
    return extensions


class Signing(Component):
    """Certificate and profiles that Xcode signs builds with."""

    certificate: Certificate
    profile: Profile
    extensions: Mapping[str, "Extension"]
    """By the end of their bundle IDs."""

    def __init__(
        self,
        name: str,
        settings: SigningSettings,
        *,
        bundle_id: BundleId,
        capabilities: BundleIdCapabilities,
        survey: Survey,
        app: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`app` is the app's bundle ID. `protect` in `opts` protects the key. Certificate and profiles are replaced when they are
        renewed."""
        super().__init__(name, opts)
        adopted = {}
        if settings.p12:
            adopted = {
                "p12": pulumi.Output.secret(settings.p12),
                "p12_password": pulumi.Output.secret(settings.p12_password),
            }
        key = SigningKey(f"{name}-key", SigningKeyArgs(**adopted), self.child_opts())
        self.certificate = Certificate(
            f"{name}-certificate",
            CertificateArgs(
                private_key=key.private_key,
                csr=key.csr,
                adopted=key.adopted,
                type=settings.certificate,
                renew_before_days=settings.renew_before_days,
                revoke=settings.revoke,
                existed=survey.found_certificates,
            ),
            self.replaceable_opts(),
        )
        self.profile = Profile(
            f"{name}-profile",
            ProfileArgs(
                name=settings.profile,
                bundle_id=bundle_id.id,
                certificate_ids=self.certificate.id.apply(lambda known: [known]),
                capabilities=capabilities.capabilities,
                renew_before_days=settings.renew_before_days,
                existed=survey.found_profiles,
            ),
            self.replaceable_opts(),
        )
        self.extensions = {
            end: Extension(
                f"{name}-{end}",
                f"{app}.{end}",
                settings,
                capabilities=wanted,
                certificate=self.certificate,
                survey=survey,
                opts=self.child_opts(),
            )
            for end, wanted in settings.extensions.items()
        }
        self.register_outputs({"certificate": self.certificate.serial_number, "profile": self.profile.full_name})

    @property
    def profiles(self) -> list[Profile]:
        """All of them, the app's first."""
        return [self.profile, *(extension.profile for extension in self.extensions.values())]


class Extension(Component):
    """The bundle ID and the profile of an extension, an App Clip or a watch app. A build does not need them once it is uploaded."""

    profile: Profile

    def __init__(
        self,
        name: str,
        identifier: str,
        settings: SigningSettings,
        *,
        capabilities: Capabilities,
        certificate: Certificate,
        survey: Survey,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        bundle_id = BundleId(
            f"{name}-bundle-id",
            BundleIdArgs(identifier=identifier, name=name_for(identifier, identifier), existed=survey.found_bundle_ids),
            self.replaceable_opts(),
        )
        wanted = BundleIdCapabilities(
            f"{name}-capabilities",
            BundleIdCapabilitiesArgs(bundle_id=bundle_id.id, capabilities=capabilities),
            self.replaceable_opts(),
        )
        self.profile = Profile(
            f"{name}-profile",
            ProfileArgs(
                name=settings.profile,
                bundle_id=bundle_id.id,
                certificate_ids=certificate.id.apply(lambda known: [known]),
                capabilities=wanted.capabilities,
                renew_before_days=settings.renew_before_days,
                existed=survey.found_profiles,
            ),
            self.replaceable_opts(),
        )
        self.register_outputs({"profile": self.profile.full_name})
