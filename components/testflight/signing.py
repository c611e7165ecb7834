"""What builds are signed with: a key that stays in the stack's state, Apple's certificate of it, and a profile for the app.

`solos:signing` asks for them; a stack without it takes builds that somebody else has signed. `solos:signingSecrets` holds the
PKCS#12 of an existing certificate, which is then taken over in place of making one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from components.base import Component
from components.config import StackConfig
from providers.appstore.bundle_id import BundleId
from providers.appstore.bundle_id_capabilities import BundleIdCapabilities, Capabilities, problems
from providers.appstore.certificate import Certificate, CertificateArgs, CertificateProvider
from providers.appstore.profile import Profile, ProfileArgs, ProfileProvider
from providers.appstore.signing_key import SigningKey, SigningKeyArgs, SigningKeyProvider

TYPES = ("DISTRIBUTION", "IOS_DISTRIBUTION")
KEYS = ("certificate", "profile", "renewBeforeDays", "revokeReplaced")
SECRETS = ("p12", "password")


@dataclass(frozen=True, kw_only=True)
class SigningSettings:
    certificate: str
    """Its type."""
    profile: str
    """What the profile's name begins with."""
    renew_before_days: int
    revoke: bool
    """Whether a certificate that is replaced is revoked."""
    p12: str = field(default="", repr=False)
    """An existing certificate with its key, in base64; empty to have one made."""
    p12_password: str = field(default="", repr=False)


def read_capabilities(config: StackConfig) -> Capabilities:
    """Read `solos:capabilities`. What is wrong is noted in `config`."""
    capabilities = config.nested("capabilities")
    config.refuse_all("capabilities", problems(capabilities))
    return capabilities


def read(config: StackConfig, app_name: str) -> SigningSettings | None:
    """Read `solos:signing` and `solos:signingSecrets`; None when builds are signed elsewhere."""
    given, given_secrets = config.table("signing", KEYS), config.table("signingSecrets", SECRETS)
    if given_secrets and not config.is_secret("signingSecrets"):
        config.refuse(
            "signingSecrets", "is readable by everybody; set each value with `pulumi config set --secret --path`"
        )
    if not given:
        if given_secrets:
            config.refuse("signingSecrets", "is for solos:signing, which is empty: say which `certificate` it is")
        return None
    if given.get("certificate") not in TYPES:
        config.refuse("signing.certificate", f"must be {' or '.join(TYPES)}")
        return None
    settings = SigningSettings(
        certificate=given["certificate"],
        profile=given.get("profile", f"{app_name} App Store"),
        renew_before_days=_days(config, given),
        revoke=config.flag_in("signing", given, "revokeReplaced", default=False),
        p12=given_secrets.get("p12", ""),
        p12_password=given_secrets.get("password", ""),
    )
    certificate = CertificateArgs(private_key="", csr="", renew_before_days=settings.renew_before_days)
    config.refuse_all("signing.renewBeforeDays", CertificateProvider().validate(certificate, None))
    profile = ProfileArgs(name=settings.profile, bundle_id="", certificate_ids=[""])
    config.refuse_all("signing.profile", ProfileProvider().validate(profile, None))
    key = SigningKeyArgs(p12=settings.p12 or None, p12_password=settings.p12_password or None)
    config.refuse_all("signingSecrets.p12", SigningKeyProvider().validate(key, None))
    return settings


class Signing(Component):
    """Everything that a build is signed with, once it exists."""

    certificate: Certificate
    profile: Profile

    def __init__(
        self,
        name: str,
        settings: SigningSettings,
        *,
        bundle_id: BundleId,
        capabilities: BundleIdCapabilities,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`protect` in `opts` protects the key, but not the certificate, which is replaced when it is renewed."""
        super().__init__(name, opts)
        adopted = {}
        if settings.p12:
            adopted = {
                "p12": pulumi.Output.secret(settings.p12),
                "p12_password": pulumi.Output.secret(settings.p12_password),
            }
        key = SigningKey(f"{name}-key", **adopted, opts=self.protected_opts())
        self.certificate = Certificate(
            f"{name}-certificate",
            private_key=key.private_key,
            csr=key.csr,
            adopted=key.adopted,
            type=settings.certificate,
            renew_before_days=settings.renew_before_days,
            revoke=settings.revoke,
            opts=self.child_opts(),
        )
        self.profile = Profile(
            f"{name}-profile",
            name=settings.profile,
            bundle_id=bundle_id.id,
            certificate_ids=[self.certificate.id],
            capabilities=capabilities.capabilities,
            renew_before_days=settings.renew_before_days,
            opts=self.child_opts(),
        )
        self.register_outputs({"certificate": self.certificate.serial_number, "profile": self.profile.full_name})


def _days(config: StackConfig, given: Mapping[str, str]) -> int:
    text = given.get("renewBeforeDays", "30")
    if not text.isdecimal():
        config.refuse("signing.renewBeforeDays", f"must be a number of days, not {text!r}")
        return 30
    return int(text)
