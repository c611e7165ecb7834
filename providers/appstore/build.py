"""A build: one IPA in App Store Connect, uploaded at most once.

Apple's API returns no digest of an IPA, so the name of the uploaded file contains the SHA-256 of its content. A later run, even without
state, compares it to recognise the same content, adopt the upload of an interrupted run, and detect a build number that is taken by
other content.
"""

import base64
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pulumi import Output

from providers import engine, waiting
from providers.appstore.api import objects, upload
from providers.appstore.api.client import AppStore
from providers.appstore.api.errors import AppStoreError
from providers.appstore.api.objects import BuildUpload
from providers.appstore.ipa import reader, versions
from providers.appstore.ipa.problems import Expected, problems
from providers.errors import ErrorText, Problem, ProblemText, ProviderError
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Provider, Resource

PLATFORM = "IOS"


class VersionTaken(ProviderError):
    """App Store Connect has received this build number, or a higher one, with other content, or has rejected it."""

    __module__ = "builtins"


VERSION_TAKEN = ErrorText(
    "{build} cannot be uploaded: App Store Connect has received builds {taken} of {short_version}, with other content or rejected, "
    "and accepts only a higher number",
    remedy="build the IPA with build number {free}, which is free",
    error=VersionTaken,
)
NOT_ACCEPTABLE = ErrorText("{path} cannot be uploaded: {problems}", remedy="fix the IPA, then run `pulumi up` again")
OTHER_FILE = ProblemText("ipa", "it has changed since the preview")
CHANGED_MEANWHILE = ErrorText(
    "{path} was changed while it was uploaded, so the uploaded build is unusable", remedy="use the next build number"
)
UNREADABLE = ErrorText("cannot read the IPA {path}: {reason}", remedy="build it, or fix the path")


@record
class BuildArgs:
    app_id: Annotated[Input[str], REPLACES]
    ipa: Input[str]
    """Path of the IPA. A different path with the same content is not a change."""
    sha256: Annotated[Input[str], REPLACES]
    """SHA-256 of the IPA, in hex; different content is another build and needs another build number."""
    bundle_id: Input[str]
    short_version: Annotated[Input[str], REPLACES]
    version: Annotated[Input[str], REPLACES]
    """The build number; `0` is valid."""
    info: Input[dict[str, str]] = field(default_factory=dict)
    """Values that its Info.plist has to contain, for example the URL of the backend."""
    minimum_os: Input[str | None] = field(default=None)
    """The IPA must not need a later iOS."""
    usage_descriptions: Input[list[str]] = field(default_factory=list)
    """Keys of Info.plist that need a text, for example NSCameraUsageDescription."""
    team_id: Input[str | None] = field(default=None)
    """The team that its provisioning profile must belong to; None for any."""
    certificate: Input[str | None] = field(default=None)
    """The distribution certificate that its profile must contain, DER in base64; None for any."""


@record
class BuildState(BuildArgs):
    upload_id: str


class BuildProvider(Provider[BuildArgs, BuildState]):
    Args = BuildArgs
    State = BuildState

    def validate(self, args: BuildArgs, old: BuildArgs | None) -> Iterable[Problem]:
        for key, number, what in (
            ("short_version", args.short_version, "version"),
            ("version", args.version, "build number"),
        ):
            problem = versions.problem(number, what)
            if problem:
                yield Problem(key, problem)

    def changed_fields(self, state: BuildState, args: BuildArgs) -> Iterable[str]:
        # The other arguments are requirements on the IPA: once its content is uploaded, they have no effect.
        return set(super().changed_fields(state, args)) & {"app_id", "sha256", "short_version", "version"}

    def ensure(self, args: BuildArgs) -> tuple[str, BuildState]:
        path = Path(args.ipa)
        before = _stamp(path)
        _check_ipa(args, path)
        store = AppStore(self.config)
        reservation = _reservation(store, args)
        if not upload.is_delivered(reservation):
            upload.deliver(store, reservation.id, path, _file_name(args), engine.progress())
            if _stamp(path) != before:
                raise CHANGED_MEANWHILE(path=path)
        return reservation.id, BuildState(upload_id=reservation.id, **vars(args))

    def observe(self, id: str, state: BuildState) -> BuildState | None:
        store = AppStore(self.config)
        found = store.get(BuildUpload, id, doing=f"read the upload of {_label(state)}")
        if found:
            return None if found.state.state == "FAILED" else state
        # Apple does not document how long it keeps uploads; builds exist longer.
        return state if any(_is_version(build.version, state) for build in _builds(store, state)) else None

    def sync(self, id: str, state: BuildState, args: BuildArgs) -> BuildState:
        _check_ipa(args, Path(args.ipa))
        return replace(state, **vars(args))

    def remove(self, id: str, state: BuildState) -> None:
        """Deletes an upload that did not become a build. Builds cannot be deleted; they expire 90 days after their upload."""
        store = AppStore(self.config)
        found = store.get(BuildUpload, id, doing=f"read the upload of {_label(state)}", query={"include": "assetFile"})
        if found and not upload.is_delivered(found):
            store.delete(BuildUpload.ref(id), doing=f"delete the upload of {_label(state)}")


def _check_ipa(args: BuildArgs, path: Path) -> None:
    expected = Expected(
        bundle_id=args.bundle_id,
        short_version=args.short_version,
        version=args.version,
        info=args.info,
        minimum_os=args.minimum_os,
        usage_descriptions=args.usage_descriptions,
        team_id=args.team_id,
        certificate=base64.b64decode(args.certificate) if args.certificate else None,
    )
    found = problems(reader.inspect(path), expected, datetime.fromtimestamp(waiting.clock.wall(), UTC))
    if reader.sha256(path) != args.sha256:
        found.append(OTHER_FILE())
    if found:
        raise NOT_ACCEPTABLE(path=path, problems="; ".join(map(str, found)))


def _reservation(store: AppStore, args: BuildArgs) -> BuildUpload:
    """The upload for this IPA: an existing one with the same content, or a reservation to upload to. A reservation that an interrupted
    run left is adopted or deleted."""
    train = [
        each
        for each in _uploads(store, args)
        if versions.ordering(each.cf_bundle_short_version_string) == versions.ordering(args.short_version)
    ]
    same = [each for each in train if _is_version(each.cf_bundle_version, args)]
    for each in same:
        if upload.is_delivered(each) and _holds(each, args):
            return each
    # A rejected upload has used up its number, too (https://github.com/fastlane/fastlane/issues/6207).
    taken = [each.cf_bundle_version for each in train if upload.is_committed(each)]
    taken += [build.version for build in _builds(store, args)]
    if any(versions.ordering(number) >= versions.ordering(args.version) for number in taken):
        raise _version_taken(args, taken)
    usable: BuildUpload | None = None
    for each in same:
        if (_holds(each, args) or each.asset_file is None) and usable is None:
            usable = each
        elif _is_ours(each):
            store.delete(BuildUpload.ref(each.id), doing=f"delete the unfinished upload of {_label(args)}")
    return usable or _reserve(store, args, {each.id for each in same}, taken)


def _reserve(store: AppStore, args: BuildArgs, known: set[str], taken: list[str]) -> BuildUpload:
    def new() -> BuildUpload | None:
        found = (
            each for each in _uploads(store, args) if _is_version(each.cf_bundle_version, args) and each.id not in known
        )
        return next((each for each in found if each.asset_file is None), None)

    try:
        return store.create(
            BuildUpload,
            {
                "cf_bundle_short_version_string": args.short_version,
                "cf_bundle_version": args.version,
                "platform": PLATFORM,
                "app": objects.App.ref(args.app_id),
            },
            doing=f"reserve the upload of {_label(args)}",
            find=new,
        )
    except AppStoreError as error:
        if error.has("ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE"):
            raise _version_taken(args, taken) from None
        raise


def _uploads(store: AppStore, args: BuildArgs) -> list[BuildUpload]:
    return store.list_all(
        BuildUpload,
        of=objects.App.ref(args.app_id),
        doing=f"look for uploads of {args.short_version}",
        query={
            "include": "assetFile",
            "filter[cfBundleShortVersionString]": versions.spellings(args.short_version),
            "filter[platform]": PLATFORM,
        },
    )


def _builds(store: AppStore, args: BuildArgs) -> list[objects.Build]:
    return store.list_all(
        objects.Build,
        doing=f"look for builds of {args.short_version}",
        query={
            "filter[app]": args.app_id,
            "filter[preReleaseVersion.version]": versions.spellings(args.short_version),
            "filter[preReleaseVersion.platform]": PLATFORM,
        },
    )


def _version_taken(args: BuildArgs, taken: list[str]) -> ProviderError:
    return VERSION_TAKEN(
        build=_label(args),
        taken=", ".join(sorted(set(taken), key=versions.ordering)) or args.version,
        short_version=args.short_version,
        free=versions.next_free(args.version, taken),
    )


def _is_version(version: str, args: BuildArgs) -> bool:
    return versions.ordering(version) == versions.ordering(args.version)


def _file_name(args: BuildArgs) -> str:
    return f"{args.bundle_id}-{args.sha256}.ipa"


def _holds(found: BuildUpload, args: BuildArgs) -> bool:
    return found.asset_file is not None and found.asset_file.file_name == _file_name(args)


def _is_ours(found: BuildUpload) -> bool:
    """Whether this provider created the upload; uploads of others are never deleted."""
    file = found.asset_file
    return file is not None and len(file.file_name.removesuffix(".ipa").rpartition("-")[2]) == 64


def _label(args: BuildArgs) -> str:
    return f"build {args.version} of {args.short_version}"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise UNREADABLE(path=path, reason=error.strerror) from None
    return status.st_mtime_ns, status.st_size


class Build(Resource[BuildArgs], module="appstore", name="Build"):
    """An uploaded IPA. `id` and `upload_id` are those of the build upload; `ProcessedBuild` has the id of the build."""

    provider = BuildProvider
    app_id: Output[str]
    upload_id: Output[str]
    short_version: Output[str]
    version: Output[str]
    sha256: Output[str]
