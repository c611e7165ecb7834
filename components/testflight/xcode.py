"""The settings with which Xcode builds for this stack, as files in the solmobile checkout, and the archive made from a commit of it.

`solos:xcode` names the checkout. `Release.xcconfig`, on which the project's Release configuration is based, points the build at the
stack's own backend; `ExportOptions.plist` signs it with the stack's profile. With a `commit`, `xcode/archive.py` makes the IPA from
it, on macOS; both files come with it from here, whatever the checkout looks like at the time.
"""

import plistlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pulumi
from pulumi_command import local

from components.base import Component
from components.config import StackConfig
from components.testflight.signing import Signing
from providers.local.file import File, FileArgs

KEYS = ("checkout", "workspace", "project", "scheme", "xcconfig", "exportOptions", "commit")
IDENTITIES = {"DISTRIBUTION": "Apple Distribution", "IOS_DISTRIBUTION": "iPhone Distribution"}
"""What Xcode calls the certificates of a type."""
ARCHIVE = ".venv/bin/python xcode/archive.py"
DIGEST = '{ sha256sum "$IPA" || shasum -a 256 "$IPA"; } | cut -c 1-64'
"""Linux has the first of these programs, macOS the second."""


@dataclass(frozen=True, kw_only=True)
class XcodeSettings:
    checkout: str
    """Folder of the solmobile repository, relative to the project."""
    container: tuple[str, str]
    """`workspace` or `project`, and its path in the checkout; empty where nothing is archived."""
    scheme: str
    xcconfig: str
    """Path in the checkout, as is the next."""
    export_options: str
    commit: str
    """What the IPA is made from; empty when it is made elsewhere."""


def read(config: StackConfig, folder: Path, *, signed: bool, archive: str) -> XcodeSettings | None:
    """Read `solos:xcode`; None when it is not set. What is wrong is noted in `config`."""
    given = config.table("xcode", KEYS)
    if not given:
        return None
    checkout = given.get("checkout", "")
    if not checkout or not (folder / checkout).is_dir():
        config.refuse(
            "xcode.checkout", f"{checkout or 'nothing'} is no folder: name the one that solmobile is checked out to"
        )
    if not signed:
        config.refuse("xcode", "needs solos:signing: the files name the profile that the build is signed with")
    containers = [(kind, given[kind]) for kind in ("workspace", "project") if given.get(kind)]
    settings = XcodeSettings(
        checkout=checkout,
        container=containers[0] if containers else ("", ""),
        scheme=given.get("scheme", ""),
        xcconfig=given.get("xcconfig", "Release.xcconfig"),
        export_options=given.get("exportOptions", "ExportOptions.plist"),
        commit=given.get("commit", ""),
    )
    for key, path in (("xcconfig", settings.xcconfig), ("exportOptions", settings.export_options), *containers):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            config.refuse(f"xcode.{key}", f"{path} has to be in the checkout: give its path from there")
    if settings.commit:
        _refuse_unarchivable(config, settings, containers, archive)
    return settings


def _refuse_unarchivable(
    config: StackConfig, settings: XcodeSettings, containers: list[tuple[str, str]], archive: str
) -> None:
    if not re.fullmatch(r"[0-9a-f]{7,40}", settings.commit):
        config.refuse(
            "xcode.commit", f"{settings.commit!r} is no commit: give its hash, because a branch or a tag can move"
        )
    if len(containers) != 1:
        config.refuse("xcode", "needs either a `workspace` or a `project` to archive")
    if not settings.scheme:
        config.refuse("xcode.scheme", "is missing: it is what is archived")
    if archive:
        config.refuse("archive", "makes the IPA, and so does xcode.commit: take one of them out")


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """What is built."""

    bundle_id: str
    version: str
    build: str
    api_key: str
    """The setting that holds the address of the backend."""
    url: pulumi.Input[str]
    ipa: str
    """Where the IPA is put, relative to the project."""


class Xcode(Component):
    """The files, which are in the checkout once it exists; and the archive, where there is a commit to make one of."""

    sha256: pulumi.Output[str] | None
    """Of the IPA that was archived."""

    def __init__(
        self,
        name: str,
        settings: XcodeSettings,
        spec: BuildSpec,
        *,
        signing: Signing,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """The archive waits for `after`, the verified backend."""
        super().__init__(name, opts)
        xcconfig = pulumi.Output.all(
            url=spec.url,
            team=signing.profile.team_id,
            profile=signing.profile.full_name,
            type=signing.certificate.type,
        ).apply(lambda about: render_xcconfig(spec, **about))
        export_options = pulumi.Output.all(
            team=signing.profile.team_id, profile=signing.profile.full_name, type=signing.certificate.type
        ).apply(lambda about: render_export_options(spec, **about))
        checkout = Path(settings.checkout)
        File(f"{name}-xcconfig", FileArgs(path=str(checkout / settings.xcconfig), content=xcconfig), self.child_opts())
        File(
            f"{name}-export-options",
            FileArgs(path=str(checkout / settings.export_options), content=export_options),
            self.child_opts(),
        )
        self.sha256 = None
        if settings.commit:
            files = {settings.xcconfig: xcconfig, settings.export_options: export_options}
            self.sha256 = self._archive(settings, spec, signing, files, after)
        self.register_outputs({})

    def _archive(
        self,
        settings: XcodeSettings,
        spec: BuildSpec,
        signing: Signing,
        files: dict[str, pulumi.Output[str]],
        after: pulumi.Resource,
    ) -> pulumi.Output[str]:
        """Runs xcode/archive.py once for each commit, version and build number; the SHA-256 of the IPA that it left.

        What it is told goes through its standard input, because it holds secrets. That a certificate was renewed is no reason to
        make a build again that Apple has got: then `update` gives the answer of before.
        """
        job = pulumi.Output.json_dumps(
            {
                "checkout": settings.checkout,
                "commit": settings.commit,
                "container": list(settings.container),
                "scheme": settings.scheme,
                "export_options": settings.export_options,
                "files": files,
                "ipa": spec.ipa,
                "certificate": signing.certificate.certificate,
                "p12": signing.certificate.p12,
                "p12_password": signing.certificate.p12_password,
                "profile": signing.profile.content,
                "profile_uuid": signing.profile.uuid,
            }
        )
        archive = local.Command(
            f"{self.name}-archive",
            create=f"{ARCHIVE} >&2 && {DIGEST}",
            update='printf %s "$PULUMI_COMMAND_STDOUT"',
            stdin=job,
            environment={"IPA": spec.ipa},
            triggers=[settings.commit, spec.bundle_id, spec.version, spec.build, spec.url],
            logging=local.Logging.STDERR,
            opts=self.child_opts(after),
        )
        return archive.stdout


def render_xcconfig(spec: BuildSpec, *, url: str, team: str, profile: str, type: str) -> str:
    """Release.xcconfig. `//` begins a comment in such a file, even in an address, so an empty setting stands between the two."""
    values = {
        "PRODUCT_BUNDLE_IDENTIFIER": spec.bundle_id,
        "MARKETING_VERSION": spec.version,
        "CURRENT_PROJECT_VERSION": spec.build,
        spec.api_key: url.replace("//", "/$()/"),
        "CODE_SIGN_STYLE": "Manual",
        "CODE_SIGN_IDENTITY": IDENTITIES[type],
        "DEVELOPMENT_TEAM": team,
        "PROVISIONING_PROFILE_SPECIFIER": profile,
    }
    lines = [f"{key} = {value}" for key, value in values.items()]
    return "\n".join(["// Written by the launch of solos: `pulumi up` puts back what is changed here.", *lines, ""])


def render_export_options(spec: BuildSpec, *, team: str, profile: str, type: str) -> str:
    """ExportOptions.plist. Xcode would give the build another number, were it allowed to."""
    options: dict[str, Any] = {
        "method": "app-store-connect",
        "destination": "export",
        "signingStyle": "manual",
        "signingCertificate": IDENTITIES[type],
        "teamID": team,
        "provisioningProfiles": {spec.bundle_id: profile},
        "manageAppVersionAndBuildNumber": False,
        "uploadSymbols": True,
    }
    return plistlib.dumps(options, sort_keys=False).decode()
