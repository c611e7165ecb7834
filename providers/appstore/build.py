"""A build: one IPA in App Store Connect, uploaded at most once.

Apple keeps no digest of an IPA that could be asked for, so this provider writes one where Apple does keep it: the name of the
uploaded file holds the SHA-256 of its content. By that, a later run without any state knows the same content again, takes over
what a killed run has left, and tells a version that is taken by other content.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import engine, waiting
from providers.appstore.api import upload
from providers.appstore.api.client import AppStore, Entity
from providers.appstore.api.errors import AppStoreError
from providers.appstore.ipa import reader, versions
from providers.appstore.ipa.problems import Expected, problems
from providers.errors import ProviderError
from providers.properties import REPLACES
from providers.resource import Provider, Resource

PLATFORM = "IOS"


class VersionTaken(ProviderError):
    """App Store Connect has this build number, or a higher one, with other content."""

    __module__ = "builtins"


@dataclass(frozen=True, kw_only=True)
class BuildArgs:
    app_id: Annotated[str, REPLACES]
    ipa: str
    """Path of the IPA. Only its content counts."""
    sha256: Annotated[str, REPLACES]
    """Of the IPA's content, in hex; other content is another build and needs another build number."""
    bundle_id: str
    short_version: Annotated[str, REPLACES]
    version: Annotated[str, REPLACES]
    """The build number; `0` is legal."""
    info: dict[str, str] = field(default_factory=dict)
    """Values that its Info.plist has to hold: the address of the backend, say."""
    minimum_os: str | None = None
    """The IPA may not ask for a later iOS."""
    usage_descriptions: list[str] = field(default_factory=list)
    """Keys of Info.plist that have to hold a text: NSCameraUsageDescription, say."""
    team_id: str | None = None
    """Whose profile it has to be exported with."""
    certificate: str | None = None
    """The distribution certificate that its profile has to contain, DER in base64."""


@dataclass(frozen=True, kw_only=True)
class BuildState(BuildArgs):
    upload_id: str


class BuildProvider(Provider[BuildArgs, BuildState]):
    Args = BuildArgs
    State = BuildState

    def validate(self, args: BuildArgs, old: BuildArgs | None) -> Iterable[str]:
        for number, what in ((args.short_version, "version"), (args.version, "build number")):
            problem = versions.problem(number, what)
            if problem:
                yield problem

    def changed_fields(self, state: BuildState, args: BuildArgs) -> Iterable[str]:
        # What an IPA is looked at for: once that content is at Apple, there is nothing left to refuse.
        return set(super().changed_fields(state, args)) & {"app_id", "sha256", "short_version", "version"}

    def ensure(self, args: BuildArgs) -> tuple[str, BuildState]:
        path = Path(args.ipa)
        before = _stamp(path)
        _refuse_unfitting(args, path)
        store = AppStore(self.config)
        reservation = _reservation(store, args)
        if not upload.is_delivered(reservation):
            upload.deliver(store, reservation.id, path, _file_name(args), engine.progress())
            if _stamp(path) != before:
                raise ProviderError(
                    f"{path} was changed while it was uploaded: the build is unusable, use the next number"
                )
        return reservation.id, BuildState(upload_id=reservation.id, **vars(args))

    def observe(self, id: str, state: BuildState) -> BuildState | None:
        store = AppStore(self.config)
        found = store.get(f"/v1/buildUploads/{id}", doing=f"read the upload of {_label(state)}")
        if found:
            return None if upload.upload_state(found) == "FAILED" else state
        # How long Apple remembers uploads is not documented; a build outlives them.
        return state if any(_is_version(build, state) for build in _builds(store, state)) else None

    def sync(self, id: str, state: BuildState, args: BuildArgs) -> BuildState:
        _refuse_unfitting(args, Path(args.ipa))
        return replace(state, **vars(args))

    def remove(self, id: str, state: BuildState) -> None:
        """Deletes an upload that never became a build. Builds cannot be deleted; they expire 90 days after their upload."""
        store = AppStore(self.config)
        found = store.get(f"/v1/buildUploads/{id}", doing=f"read the upload of {_label(state)}", include="assetFile")
        if found and not upload.is_delivered(found):
            store.delete(f"/v1/buildUploads/{id}", doing=f"delete the upload of {_label(state)}")


def _refuse_unfitting(args: BuildArgs, path: Path) -> None:
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
        found.append("it is not the file that was previewed: run up again")
    if found:
        raise ProviderError(f"{path} cannot go to App Store Connect: {'; '.join(found)}")


def _reservation(store: AppStore, args: BuildArgs) -> Entity:
    """The upload that holds our content, or is to hold it. Anything half done by an earlier run is taken over or cleaned up."""
    train = [
        each
        for each in _uploads(store, args)
        if versions.ordering(str(each["cfBundleShortVersionString"])) == versions.ordering(args.short_version)
    ]
    same = [each for each in train if _is_version(each, args)]
    for each in same:
        if upload.is_delivered(each) and _holds(each, args):
            return each
    taken = [str(each["cfBundleVersion"]) for each in train if upload.is_delivered(each)]
    taken += [str(build["version"]) for build in _builds(store, args)]
    if any(versions.ordering(number) >= versions.ordering(args.version) for number in taken):
        raise _version_taken(args, taken)
    usable: Entity | None = None
    for each in same:
        failed = upload.upload_state(each) == "FAILED"
        if not failed and (_holds(each, args) or each.related("assetFile") is None) and usable is None:
            usable = each
        elif _is_ours(each):
            store.delete(f"/v1/buildUploads/{each.id}", doing=f"delete the unfinished upload of {_label(args)}")
    return usable or _reserve(store, args, {each.id for each in same}, taken)


def _reserve(store: AppStore, args: BuildArgs, known: set[str], taken: list[str]) -> Entity:
    def new() -> Entity | None:
        found = (each for each in _uploads(store, args) if _is_version(each, args) and each.id not in known)
        return next((each for each in found if each.related("assetFile") is None), None)

    try:
        return store.create(
            "buildUploads",
            {
                "cfBundleShortVersionString": args.short_version,
                "cfBundleVersion": args.version,
                "platform": PLATFORM,
            },
            {"app": ("apps", args.app_id)},
            doing=f"reserve the upload of {_label(args)}",
            find=new,
        )
    except AppStoreError as error:
        if error.has("ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE"):
            raise _version_taken(args, taken) from None
        raise


def _uploads(store: AppStore, args: BuildArgs) -> list[Entity]:
    return store.list_all(
        f"/v1/apps/{args.app_id}/buildUploads",
        doing=f"look for uploads of {args.short_version}",
        include="assetFile",
        **{
            "filter[cfBundleShortVersionString]": versions.spellings(args.short_version),
            "filter[platform]": PLATFORM,
        },
    )


def _builds(store: AppStore, args: BuildArgs) -> list[Entity]:
    return store.list_all(
        "/v1/builds",
        doing=f"look for builds of {args.short_version}",
        **{
            "filter[app]": args.app_id,
            "filter[preReleaseVersion.version]": versions.spellings(args.short_version),
            "filter[preReleaseVersion.platform]": PLATFORM,
        },
    )


def _version_taken(args: BuildArgs, taken: list[str]) -> VersionTaken:
    return VersionTaken(
        f"{_label(args)} cannot be uploaded: App Store Connect has builds {', '.join(sorted(set(taken), key=versions.ordering)) or args.version} "
        f"of {args.short_version}, whose content is not this IPA's, and takes only a higher number: "
        f"build the IPA with build number {versions.next_free(args.version, taken)}, which is free"
    )


def _is_version(entity: Entity, args: BuildArgs) -> bool:
    return versions.ordering(str(entity["cfBundleVersion"] or entity["version"])) == versions.ordering(args.version)


def _file_name(args: BuildArgs) -> str:
    return f"{args.bundle_id}-{args.sha256}.ipa"


def _holds(found: Entity, args: BuildArgs) -> bool:
    file = found.related("assetFile")
    return file is not None and file["fileName"] == _file_name(args)


def _is_ours(found: Entity) -> bool:
    """Whether this provider made the upload; uploads by others are never deleted."""
    file = found.related("assetFile")
    return file is not None and len(str(file["fileName"]).removesuffix(".ipa").rpartition("-")[2]) == 64


def _label(args: BuildArgs) -> str:
    return f"build {args.version} of {args.short_version}"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise ProviderError(f"cannot read the IPA {path}: {error.strerror}; build it, or correct the path") from None
    return status.st_mtime_ns, status.st_size


class Build(Resource[Any], module="appstore", name="Build"):
    """An uploaded IPA. `id` and `upload_id` are those of the build upload; the build record comes with `ProcessedBuild`."""

    provider = BuildProvider
    app_id: Output[str]
    upload_id: Output[str]
    short_version: Output[str]
    version: Output[str]
    sha256: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        app_id: Input[str],
        ipa: Input[str],
        sha256: Input[str],
        bundle_id: Input[str],
        short_version: Input[str],
        version: Input[str],
        info: Input[Mapping[str, Input[str]]] | None = None,
        minimum_os: Input[str] | None = None,
        usage_descriptions: Input[Sequence[str]] | None = None,
        team_id: Input[str] | None = None,
        certificate: Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "app_id": app_id,
            "ipa": ipa,
            "sha256": sha256,
            "bundle_id": bundle_id,
            "short_version": short_version,
            "version": version,
            "info": info,
            "minimum_os": minimum_os,
            "usage_descriptions": usage_descriptions,
            "team_id": team_id,
            "certificate": certificate,
        }
        super().__init__(resource_name, arguments, opts)
