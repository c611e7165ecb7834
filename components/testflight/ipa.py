"""The IPA that is uploaded: archived with Xcode, built by the team's own command, or built elsewhere before `up`."""

from pathlib import Path

import msgspec
import pulumi

from components.command import logged, options
from components.release import Release
from components.testflight.settings import IosSettings
from components.testflight.signing import Signing
from components.testflight.xcode import BuildSpec, Xcode, archive_once
from providers.appstore.build_upload import BuildUploadArgs


class Ipa(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an IPA before it is uploaded."""

    sha256: pulumi.Input[str] | None = None
    """Of the IPA that this program has archived; None when it is built elsewhere."""
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
        return Ipa(sha256=_run_command(f"{name}-archive", settings, spec, waiting))
    return Ipa()


def build_args(
    settings: IosSettings,
    release: Release,
    *,
    path: Path,
    app_id: pulumi.Input[str],
    url: str | pulumi.Output[str] | None,
    archived: Ipa,
) -> BuildUploadArgs:
    """The build that is uploaded: the IPA at `path`. `url` is the backend's, which the IPA has to contain; None when it is not known yet."""
    info: dict[str, str] | pulumi.Output[dict[str, str]] = {}
    if isinstance(url, str):
        info = {settings.api_key: url}
    elif url is not None:
        info = url.apply(lambda known: {settings.api_key: known})
    return BuildUploadArgs(
        app_id=app_id,
        ipa=str(path),
        bundle_id=settings.bundle_id,
        short_version=release.version,
        version=release.build,
        source=settings.xcode.commit or None if settings.xcode else None,
        archived_sha256=archived.sha256,
        info=info,
        minimum_os=settings.minimum_os,
        usage_descriptions=list(settings.usage_descriptions),
        team_id=archived.team_id,
        certificate=archived.certificate,
        says_export_compliance=settings.uses_non_exempt_encryption is None,
    )


def _run_command(name: str, settings: IosSettings, spec: BuildSpec, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Run the team's own command; the SHA-256 of the IPA that it leaves."""
    environment = {
        "IPA": spec.ipa,
        "BUNDLE_ID": spec.bundle_id,
        "VERSION": spec.version,
        "BUILD": spec.build,
        "API_BASE_URL": spec.url,
    }
    script = logged(settings.archive, '"${IPA%.*}.log"')
    return archive_once(name, script, spec, opts, **options(settings.passed, environment))


def _der_in_base64(pem: str) -> str:
    """A PEM certificate without its header and footer, in one line."""
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))
