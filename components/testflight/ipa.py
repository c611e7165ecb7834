"""The IPA that is uploaded: archived with Xcode, built by the team's own command, or built elsewhere before `up`."""

from dataclasses import dataclass

import pulumi
from pulumi_command import local

from components.testflight.settings import IosSettings
from components.testflight.signing import Signing
from components.testflight.xcode import DIGEST, BuildSpec, Xcode


@dataclass(frozen=True, kw_only=True)
class Ipa:
    """What is known of an IPA before it is uploaded."""

    sha256: pulumi.Input[str]
    team_id: pulumi.Input[str] | None = None
    """The team that must have signed it; None when it is signed elsewhere, by any team."""
    certificate: pulumi.Input[str] | None = None
    """The certificate that it must be signed with, DER in base64; None when it is signed elsewhere."""


def build_ipa(
    name: str,
    settings: IosSettings,
    spec: BuildSpec,
    *,
    signing: Signing | None,
    after: pulumi.Resource,
    opts: pulumi.ResourceOptions,
) -> Ipa:
    """Declare what builds the IPA. The build starts after the resource `after`; `opts` are those of a child of the caller."""
    sha256: pulumi.Input[str] | None = None
    if settings.xcode and signing:
        sha256 = Xcode(f"{name}-xcode", settings.xcode, spec, signing=signing, after=after, opts=opts).sha256
    if sha256 is not None and signing:
        certificate = signing.certificate.certificate.apply(_der_in_base64)
        return Ipa(sha256=sha256, team_id=signing.profile.team_id, certificate=certificate)
    if settings.archive:
        waiting = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[after]))
        return Ipa(sha256=_run_command(f"{name}-archive", settings.archive, spec, waiting))
    return Ipa(sha256=settings.sha256)


def _run_command(name: str, command: str, spec: BuildSpec, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Run the team's own command whenever its environment changes; the SHA-256 of the IPA that it leaves."""
    archive = local.Command(
        name,
        create=f"{command} >&2 && {DIGEST}",
        environment={
            "IPA": spec.ipa,
            "BUNDLE_ID": spec.bundle_id,
            "VERSION": spec.version,
            "BUILD": spec.build,
            "API_BASE_URL": spec.url,
        },
        logging=local.Logging.STDERR,
        opts=opts,
    )
    return archive.stdout


def _der_in_base64(pem: str) -> str:
    """A PEM certificate without its header and footer, in one line."""
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))
