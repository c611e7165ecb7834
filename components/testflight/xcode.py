"""The files that Xcode needs to build for this stack, in the solmobile checkout, and the IPA archived from a commit of it.

`xcode` names the checkout. `Release.xcconfig`, on which the project's Release configuration is based, points the build at the
stack's backend; `ExportOptions.plist` signs it with the stack's profile. With a `commit`, `xcode/archive.py` archives the IPA from
it, on macOS. It gets both files from here and does not use those in the checkout.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import pulumi
from pulumi_command import local

from components.base import Component
from components.command import options
from components.config import SettingText, StackConfig
from components.testflight.signing import Signing
from providers.local.file import File, FileArgs

KEYS = ("checkout", "workspace", "project", "scheme", "xcconfig", "exportOptions", "commit")
IDENTITIES = {"DISTRIBUTION": "Apple Distribution", "IOS_DISTRIBUTION": "iPhone Distribution"}
"""Xcode's name of each certificate type."""
ARCHIVE = ".venv/bin/python xcode/archive.py"
PRINT_SHA256 = '{ sha256sum "$IPA" || shasum -a 256 "$IPA"; } | cut -c 1-64'
"""Prints the SHA-256 of the IPA. Linux has the first program, macOS the second."""

NO_CHECKOUT = SettingText("xcode.checkout", "is missing", remedy="set the folder where solmobile is checked out")
NOT_SIGNED = SettingText(
    "xcode", "needs `signing`", remedy="set `signing`: the files name the profile that signs the build"
)
NOT_IN_CHECKOUT = SettingText(
    "xcode.{key}", "{path} is not in the checkout", remedy="set its path relative to the checkout"
)
NOT_A_COMMIT = SettingText(
    "xcode.commit", "{commit!r} is not a commit hash", remedy="set the hash: a branch or a tag can move"
)
NO_CONTAINER = SettingText("xcode", "needs either a `workspace` or a `project`", remedy="set exactly one of them")
NO_SCHEME = SettingText("xcode.scheme", "is missing", remedy="set the scheme to archive")
TWO_ARCHIVES = SettingText("archive", "builds the IPA, and so does `xcode.commit`", remedy="remove one of them")


class XcodeSettings(msgspec.Struct, frozen=True, kw_only=True):
    checkout: str
    """Folder of the solmobile repository, relative to the project."""
    container: tuple[str, str]
    """`workspace` or `project`, and its path in the checkout; empty strings when nothing is archived."""
    scheme: str
    xcconfig: str
    """Path in the checkout."""
    export_options: str
    """Path in the checkout."""
    commit: str
    """The commit to archive; empty when the IPA is built another way."""
    passed: tuple[str, ...]
    """Environment variables that the archive gets."""


def read(config: StackConfig, *, signed: bool, archive: str, passed: tuple[str, ...]) -> XcodeSettings | None:
    """Read `xcode`; None when it is not set. Problems are added to `config`."""
    given = config.table("xcode", KEYS)
    if not given:
        return None
    checkout = given.get("checkout", "")
    if not checkout:
        config.refuse(NO_CHECKOUT())
    if not signed:
        config.refuse(NOT_SIGNED(), lacks=("signing", "signing.certificate"))
    containers = [(kind, given[kind]) for kind in ("workspace", "project") if given.get(kind)]
    settings = XcodeSettings(
        checkout=checkout,
        container=containers[0] if containers else ("", ""),
        scheme=given.get("scheme", ""),
        xcconfig=given.get("xcconfig", "Release.xcconfig"),
        export_options=given.get("exportOptions", "ExportOptions.plist"),
        commit=given.get("commit", ""),
        passed=passed,
    )
    for key, path in (("xcconfig", settings.xcconfig), ("exportOptions", settings.export_options), *containers):
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            config.refuse(NOT_IN_CHECKOUT(key=key, path=path))
    if settings.commit:
        _check_archive(config, settings, containers, archive)
    return settings


def _check_archive(
    config: StackConfig, settings: XcodeSettings, containers: list[tuple[str, str]], archive: str
) -> None:
    if not re.fullmatch(r"[0-9a-f]{7,40}", settings.commit):
        config.refuse(NOT_A_COMMIT(commit=settings.commit))
    if len(containers) != 1:
        config.refuse(NO_CONTAINER(), lacks=("xcode.workspace", "xcode.project"))
    if not settings.scheme:
        config.refuse(NO_SCHEME())
    if archive:
        config.refuse(TWO_ARCHIVES())


class BuildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The build to make, and the path of its IPA."""

    bundle_id: str
    version: str
    build: str
    api_key: str
    """Info.plist key of the backend's URL."""
    url: pulumi.Input[str]
    ipa: str
    """Path of the IPA, relative to the project; empty while no build is configured."""


class Xcode(Component):
    """The files in the checkout, and the archive if a commit is set."""

    sha256: pulumi.Output[str] | None
    """SHA-256 of the archived IPA; None without a commit."""

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
        """The archive waits for the resource `after`; the files do not."""
        super().__init__(name, opts)
        signed_with = {
            "team": signing.profile.team_id,
            "profile": signing.profile.full_name,
            "extensions": {end: extension.profile.full_name for end, extension in signing.extensions.items()},
            "type": signing.certificate.type,
        }
        xcconfig = pulumi.Output.all(url=spec.url, **signed_with).apply(lambda about: render_xcconfig(spec, **about))
        export_options = pulumi.Output.all(**signed_with).apply(lambda about: render_export_options(spec, **about))
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
        """Run xcode/archive.py; the SHA-256 of the IPA. The job has secrets, so it goes through standard input."""
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
                "profiles": [[profile.uuid, profile.content] for profile in signing.profiles],
            }
        )
        return archive_once(
            f"{self.name}-archive",
            f"{ARCHIVE} >&2",
            spec,
            self.child_opts(after),
            stdin=job,
            **options(settings.passed, {"IPA": spec.ipa}),
        )


def archive_once(
    name: str, script: str, spec: BuildSpec, opts: pulumi.ResourceOptions, **arguments: Any
) -> pulumi.Output[str]:
    """Run a script that leaves an IPA, once per version and build number; the SHA-256 of the IPA.

    It is empty when another argument has changed since, for example the commit. The script does not run again then: the build
    may be uploaded already, and it takes minutes, and a Mac. `appstore:BuildUpload` refuses to upload an IPA that was archived before.
    """
    archive = local.Command(
        name,
        create=f"{script} && {PRINT_SHA256}",
        update="true",
        triggers=[spec.bundle_id, spec.version, spec.build],
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"])),
        **arguments,
    )
    return pulumi.Output.unsecret(archive.stdout)


def render_xcconfig(
    spec: BuildSpec, *, url: str, team: str, profile: str, extensions: Mapping[str, str], type: str
) -> str:
    """Release.xcconfig. `//` starts a comment there, even inside a URL, so an empty setting, `$()`, separates the slashes.

    The target of an extension overrides bundle ID and profile: `$(PROVISIONING_PROFILE_SPECIFIER_Share)`.
    """
    values = {
        "PRODUCT_BUNDLE_IDENTIFIER": spec.bundle_id,
        "MARKETING_VERSION": spec.version,
        "CURRENT_PROJECT_VERSION": spec.build,
        spec.api_key: url.replace("//", "/$()/"),
        "CODE_SIGN_STYLE": "Manual",
        "CODE_SIGN_IDENTITY": IDENTITIES[type],
        "DEVELOPMENT_TEAM": team,
        "PROVISIONING_PROFILE_SPECIFIER": profile,
        **{f"PROVISIONING_PROFILE_SPECIFIER_{re.sub(r'[.-]', '_', end)}": name for end, name in extensions.items()},
    }
    lines = [f"{key} = {value}" for key, value in values.items()]
    return "\n".join(["// Written by the launch: `pulumi up` reverts changes to this file.", *lines, ""])


def render_export_options(spec: BuildSpec, *, team: str, profile: str, extensions: Mapping[str, str], type: str) -> str:
    """ExportOptions.plist. It keeps Xcode from changing the build number, which the stack sets."""
    options: dict[str, Any] = {
        "method": "app-store-connect",
        "destination": "export",
        "signingStyle": "manual",
        "signingCertificate": IDENTITIES[type],
        "teamID": team,
        "provisioningProfiles": {
            spec.bundle_id: profile,
            **{f"{spec.bundle_id}.{end}": name for end, name in extensions.items()},
        },
        "manageAppVersionAndBuildNumber": False,
        "uploadSymbols": True,
    }
    import plistlib  # only stacks that archive with Xcode need it

    return plistlib.dumps(options, sort_keys=False).decode()
