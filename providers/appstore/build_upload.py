"""A build: one IPA in App Store Connect, uploaded at most once.

The IPA file is needed for the upload and for nothing else. While version and build number stay as they are, it is neither read nor
compared, and it may be missing. When they change, a preview inspects the file, and `up` reads it once for its digest and once to
upload it.

Apple's API returns no digest of an IPA, so the name of the uploaded file contains the SHA-256 of its content. A later run, even without
state, compares it to recognise the same content, adopt the upload of an interrupted run, and detect a build number that is taken by
other content.
"""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec.structs import asdict, replace
from pulumi import Output

from providers import engine, waiting
from providers.appstore import build_numbers
from providers.appstore.api import client, errors, objects, upload
from providers.appstore.ipa import versions
from providers.errors import ErrorText, Problem, ProblemText, ProviderError
from providers.properties import REPLACES, is_known
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

ARCHIVE_AGAIN = "run `pulumi up --replace '**archive'` to archive it again, or use the next build number"
T = TypeVar("T")


class VersionTaken(ProviderError):
    """App Store Connect has received this build number, or a higher one, with other content, or has rejected it."""

    __module__ = "builtins"


VERSION_TAKEN = ErrorText(
    "{build} cannot be uploaded: App Store Connect has received builds {taken} of {short_version}, with other content or rejected, "
    "and accepts only a higher number",
    remedy="build the IPA with build number {free}, which is free (`make next-build` sets it)",
    error=VersionTaken,
)
NOT_ACCEPTABLE = ErrorText("{build} cannot be uploaded: {problems}", remedy="fix the IPA, then {again}")
LOWERED = ProblemText(
    "version",
    "{build} is lower than {uploaded}, which is uploaded",
    remedy="use a higher one: testers get the build with the highest number",
)
SOURCE_CHANGED = ProblemText(
    "source",
    "{build} is uploaded already, built from {uploaded}; {source} would never reach the testers",
    remedy="use the next build number, or set {uploaded} again",
)
FOUR_PARTS = ProblemText(
    "version",
    "build number {build} has four parts, which Apple accepts and does not document",
    remedy="use at most three parts, to be safe",
    is_warning=True,
)
NO_IPA = ProblemText(
    "ipa", "there is no IPA at {path}, and {build} is not uploaded yet", remedy="build it, or fix the path"
)
NO_ARCHIVE = ProblemText(
    "ipa", "the archived IPA is no longer at {path}, and {build} is not uploaded yet", remedy=ARCHIVE_AGAIN
)
OLD_ARCHIVE = ProblemText("ipa", "{path} was archived with settings other than the current ones", remedy=ARCHIVE_AGAIN)
OTHER_FILE = ErrorText("{path} is not the IPA that was archived", remedy=ARCHIVE_AGAIN)
CHANGED_MEANWHILE = ErrorText(
    "{path} was changed while it was uploaded, so the uploaded build is unusable", remedy="use the next build number"
)


class BuildUploadArgs(Record):
    app_id: Annotated[Input[str], REPLACES]
    ipa: Input[str]
    """Path of the IPA, read when the build is uploaded."""
    bundle_id: Input[str]
    short_version: Annotated[Input[str], REPLACES]
    version: Annotated[Input[str], REPLACES]
    """The build number; `0` is valid. Neither it nor `short_version` can be lowered."""
    source: Input[str | None] = field(default=None)
    """What the IPA is built from, for example a commit. Another source needs another build number."""
    archived_sha256: Input[str | None] = field(default=None)
    """SHA-256 of the IPA as it was archived in this stack, which has to be the one that is uploaded; empty when its settings have
    changed since; None for an IPA that is built elsewhere."""
    info: Input[dict[str, str]] = field(default_factory=dict)
    """Values that its Info.plist has to contain, for example the URL of the backend."""
    minimum_os: Input[str | None] = field(default=None)
    """The IPA must not need a later iOS."""
    usage_descriptions: Input[list[str]] = field(default_factory=list)
    """Keys of Info.plist that need a text, for example NSCameraUsageDescription."""
    team_id: Input[str | None] = field(default=None)
    """The team that its provisioning profile must belong to; None for any."""
    certificate: Input[str | None] = field(default=None)
    """The distribution certificate that its profile has to contain, DER in base64."""
    says_export_compliance: Input[bool] = field(default=False)
    """Whether its Info.plist has to contain ITSAppUsesNonExemptEncryption."""


class BuildUploadState(BuildUploadArgs):
    upload_id: str
    sha256: str
    """Of the uploaded IPA, in hex."""


class BuildUploadProvider(Provider[BuildUploadArgs, BuildUploadState]):
    Args = BuildUploadArgs
    State = BuildUploadState
    validates_unknown = True

    def validate(self, args: BuildUploadArgs, old: BuildUploadArgs | None) -> Iterable[Problem]:
        wrong = list(_number_problems(args))
        yield from wrong
        if is_known(args.version) and versions.has_undocumented_form(args.version):
            yield FOUR_PARTS(build=args.version)
        if wrong or not is_known([args.short_version, args.version]):
            return
        if old and _known(args.app_id, old.app_id) == old.app_id and not any(_number_problems(old)):
            if _number(args) < _number(old):
                yield LOWERED(build=_label(args), uploaded=_label(old))
                return
            if _number(args) == _number(old):
                if not _is_same_source(_known(args.source, None), old.source):
                    yield SOURCE_CHANGED(build=_label(args), uploaded=old.source, source=args.source)
                return
        if is_known(args.archived_sha256):  # Otherwise the IPA is archived in this `up`.
            yield from _missing(args) or _problems(args)

    def changed_fields(self, state: BuildUploadState, args: BuildUploadArgs) -> Iterable[str]:
        # The other arguments are requirements on the IPA: once its content is uploaded, they have no effect.
        if state.app_id != args.app_id:
            yield "app_id"
        for name in ("short_version", "version"):
            if versions.ordering(getattr(state, name)) != versions.ordering(getattr(args, name)):
                yield name

    def ensure(self, args: BuildUploadArgs) -> tuple[str, BuildUploadState]:
        from providers.appstore.ipa import reader

        path = Path(args.ipa)
        for problem in _missing(args):
            raise ProviderError(problem.message, remedy=problem.remedy)
        if found := [problem for problem in _problems(args) if not problem.is_warning]:
            again = "run `pulumi up` again" if args.archived_sha256 is None else ARCHIVE_AGAIN
            raise NOT_ACCEPTABLE(build=_label(args), problems="; ".join(map(str, found)), again=again)
        before = _stamp(path)
        sha256 = reader.sha256(path, engine.progress("reading IPA"))
        if args.archived_sha256 not in (None, sha256):
            raise OTHER_FILE(path=path)
        state = BuildUploadState(upload_id="", sha256=sha256, **asdict(args))
        store = client.AppStore(self.config)
        reservation, is_new = _reservation(store, state)
        if not upload.is_delivered(reservation):
            show = engine.progress("uploading IPA")
            upload.deliver(store, reservation.id, path, _file_name(state), show, is_new=is_new)
            if _stamp(path) != before:
                raise CHANGED_MEANWHILE(path=path)
        return reservation.id, replace(state, upload_id=reservation.id)

    def observe(self, id: str, state: BuildUploadState) -> BuildUploadState | None:
        store = client.AppStore(self.config)
        found = store.get(objects.BuildUpload, id, doing=f"read the upload of {_label(state)}")
        if found:
            return None if found.state.state == "FAILED" else state
        # Apple does not document how long it keeps uploads; builds exist longer.
        builds = build_numbers.builds(store, state.app_id, state.short_version)
        return state if any(_is_version(build.version, state) for build in builds) else None

    def sync(self, id: str, state: BuildUploadState, args: BuildUploadArgs) -> BuildUploadState:
        """Nothing: an uploaded build cannot be changed."""
        return state

    def remove(self, id: str, state: BuildUploadState) -> None:
        """Deletes an unfinished upload. One that Apple rejected stays, as the record of the number that it has used up. Builds
        cannot be deleted; they expire 90 days after their upload."""
        store = client.AppStore(self.config)
        found = store.get(
            objects.BuildUpload, id, doing=f"read the upload of {_label(state)}", query={"include": "assetFile"}
        )
        if found and not upload.is_committed(found):
            store.delete(objects.BuildUpload.ref(id), doing=f"delete the upload of {_label(state)}")


def _number_problems(args: BuildUploadArgs) -> Iterable[Problem]:
    for key, what, parts in (
        ("short_version", "version", versions.VERSION_PARTS),
        ("version", "build number", versions.BUILD_PARTS),
    ):
        number = getattr(args, key)
        problem = versions.problem(number, what, parts) if is_known(number) else None
        if problem:
            yield Problem(key, problem)


def _missing(args: BuildUploadArgs) -> list[Problem]:
    """Whether there is no file to upload."""
    if not Path(args.ipa).exists():
        text = NO_IPA if args.archived_sha256 is None else NO_ARCHIVE
        return [text(path=args.ipa, build=_label(args))]
    return [OLD_ARCHIVE(path=args.ipa)] if args.archived_sha256 == "" else []


def _problems(args: BuildUploadArgs) -> list[Problem]:
    """Everything for which the IPA cannot be uploaded. Reads its table of contents and a few small files, whatever its size."""
    # What reads an IPA is imported where one is read: most previews do not.
    from providers.appstore.ipa import reader
    from providers.appstore.ipa.expected import Expected
    from providers.appstore.ipa.problems import problems

    path = Path(args.ipa)
    certificate = _known(args.certificate, None)
    expected = Expected(
        bundle_id=args.bundle_id,
        short_version=args.short_version,
        version=args.version,
        info={key: value for key, value in _known(args.info, {}).items() if is_known(value)},
        minimum_os=args.minimum_os,
        usage_descriptions=args.usage_descriptions,
        team_id=_known(args.team_id, None),
        certificate=base64.b64decode(certificate) if certificate else None,
        says_export_compliance=args.says_export_compliance,
    )
    try:
        found = problems(reader.inspect(path), expected, datetime.fromtimestamp(waiting.clock.wall(), UTC))
    except ProviderError as error:
        return [Problem("ipa", error.message, error.remedy)]
    return [replace(problem, message=f"{path}: {problem.message}") for problem in found]


def _known(value: T, otherwise: T) -> T:
    return value if is_known(value) else otherwise


def _number(args: BuildUploadArgs) -> tuple[object, ...]:
    return versions.ordering(args.short_version), versions.ordering(args.version)


def _is_same_source(source: str | None, uploaded: str | None) -> bool:
    """A hash may be written short or in full; None is not compared."""
    if source is None or uploaded is None:
        return True
    return source.startswith(uploaded) or uploaded.startswith(source)


def file_name(bundle_id: str, sha256: str) -> str:
    """The name of an uploaded IPA at Apple, which identifies its content."""
    return f"{bundle_id}-{sha256}.ipa"


def find_delivered(train: "Iterable[objects.BuildUpload]", version: str, name: str) -> "objects.BuildUpload | None":
    """The upload among those of a version that has this build number and file `name`, and that Apple has received and not rejected."""
    wanted = versions.ordering(version)
    same = (found for found in train if versions.ordering(found.cf_bundle_version) == wanted)
    return next((found for found in same if _holds(found, name) and upload.is_delivered(found)), None)


def _reservation(store: "client.AppStore", args: BuildUploadState) -> "tuple[objects.BuildUpload, bool]":
    """The upload for this IPA, an existing one with the same content, or a reservation to upload to; and whether it is new. A
    reservation that an interrupted run left is adopted or deleted."""
    train = build_numbers.uploads(store, args.app_id, args.short_version)
    if delivered := find_delivered(train, args.version, _file_name(args)):
        return delivered, False
    same = [candidate for candidate in train if _is_version(candidate.cf_bundle_version, args)]
    taken = build_numbers.used(train, build_numbers.builds(store, args.app_id, args.short_version))
    if any(versions.ordering(number) >= versions.ordering(args.version) for number in taken):
        raise _version_taken(args, taken)
    usable: objects.BuildUpload | None = None
    for candidate in same:
        if (_holds(candidate, _file_name(args)) or candidate.asset_file is None) and usable is None:
            usable = candidate
        elif _is_ours(candidate):
            store.delete(objects.BuildUpload.ref(candidate.id), doing=f"delete the unfinished upload of {_label(args)}")
    return (usable, False) if usable else (_reserve(store, args, {candidate.id for candidate in same}, taken), True)


def _reserve(
    store: "client.AppStore", args: BuildUploadState, known: set[str], taken: list[str]
) -> "objects.BuildUpload":
    def new() -> "objects.BuildUpload | None":
        found = (
            candidate
            for candidate in build_numbers.uploads(store, args.app_id, args.short_version)
            if _is_version(candidate.cf_bundle_version, args) and candidate.id not in known
        )
        return next((candidate for candidate in found if candidate.asset_file is None), None)

    try:
        return store.create(
            objects.BuildUpload,
            {
                "cf_bundle_short_version_string": args.short_version,
                "cf_bundle_version": args.version,
                "platform": build_numbers.PLATFORM,
                "app": objects.App.ref(args.app_id),
            },
            doing=f"reserve the upload of {_label(args)}",
            find=new,
        )
    except errors.AppStoreError as error:
        if error.has("ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE"):
            raise _version_taken(args, taken) from None
        raise


def _version_taken(args: BuildUploadArgs, taken: list[str]) -> ProviderError:
    return VERSION_TAKEN(
        build=_label(args),
        taken=", ".join(taken) or args.version,
        short_version=args.short_version,
        free=versions.next_free(args.version, taken),
    )


def _is_version(version: str, args: BuildUploadArgs) -> bool:
    return versions.ordering(version) == versions.ordering(args.version)


def _file_name(args: BuildUploadState) -> str:
    return file_name(args.bundle_id, args.sha256)


def _holds(found: "objects.BuildUpload", name: str) -> bool:
    return found.asset_file is not None and found.asset_file.file_name == name


def _is_ours(found: "objects.BuildUpload") -> bool:
    """Whether this provider created the upload; uploads of others are never deleted."""
    file = found.asset_file
    return file is not None and len(file.file_name.removesuffix(".ipa").rpartition("-")[2]) == 64


def _label(args: BuildUploadArgs) -> str:
    return f"build {args.version} of {args.short_version}"


def _stamp(path: Path) -> tuple[int, int]:
    from providers.appstore.ipa import reader

    try:
        status = path.stat()
    except OSError as error:
        raise reader.CANNOT_READ(path=path, reason=error.strerror) from None
    return status.st_mtime_ns, status.st_size


class BuildUpload(Resource[BuildUploadArgs], module="appstore", name="BuildUpload"):
    """An uploaded IPA. `id` and `upload_id` are those of the build upload; `ProcessedBuild` has the id of the build."""

    provider = BuildUploadProvider
    app_id: Output[str]
    upload_id: Output[str]
    short_version: Output[str]
    version: Output[str]
    sha256: Output[str]
