"""Waits until Apple has processed an upload: the IPA is accepted, its build exists, and can be distributed to testers.

That usually takes minutes, sometimes more than an hour. Nothing else happens here, so it can be interrupted at any time: the next
`pulumi up` continues waiting, and nothing is uploaded twice.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pulumi import Output

from providers import engine
from providers.appstore.api import client, objects
from providers.appstore.build_numbers import PLATFORM, taken
from providers.appstore.ipa import versions
from providers.errors import ErrorText, ProviderError
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Gate, Resource

WAIT_SECONDS = 3 * 3600
ADVICE = {
    "90022": "put the icon into the asset catalogue",
    "90034": "archive it with the distribution certificate",
    "90054": "the IPA is of another app: build it with the stack's bundle ID",
    "90055": "the IPA is of another app: build it with the stack's bundle ID",
    "90062": "the version is closed, or lower than an earlier one: raise the version",
    "90087": "export the archive of a device build, not one for the simulator",
    "90159": "export it with a profile of the team that the app belongs to",
    "90161": "export it with an App Store profile that is valid",
    "90164": "export it with a profile of the app's bundle ID and capabilities",
    "90174": "export it for the App Store",
    "90186": "the version is closed for new builds: raise the version",
    "90189": "this build number is taken: raise the build number",
    "90208": "set the same deployment target for the app and its frameworks",
    "90473": "set the same version and build number for all targets",
    "90474": "support all orientations on iPads, or set UIRequiresFullScreen",
    "90475": "add a launch screen, or set UIRequiresFullScreen",
    "90478": "the version is closed, or lower than an earlier one: raise the version",
    "90683": "add a text for the key to Info.plist, and list the key in usage_descriptions",
    "90713": "name the icon set in Info.plist (CFBundleIconName)",
    "90725": "build it with the Xcode version that Apple requires",
}
"""What to do about Apple's codes (the ITMS numbers of its e-mails; `ipa/problems.py` checks for most of them)."""
UNDECIDED = ("PROCESSING", "MISSING_EXPORT_COMPLIANCE", "IN_EXPORT_COMPLIANCE_REVIEW")
"""Internal build states of a build that cannot be tested yet."""


class BuildRejected(ProviderError):
    """Apple rejected the IPA after its upload."""

    __module__ = "builtins"


UPLOAD_REJECTED = ErrorText(
    "Apple rejected {build}: {reasons}",
    remedy="fix the IPA, then upload it with build number {free}: a rejected upload has used up its number",
    error=BuildRejected,
)
BUILD_INVALID = ErrorText(
    "Apple created build {build_id} of {build} in state {state}, and sent the reason to the team by e-mail",
    remedy="fix the IPA, then upload it with build number {free}",
    error=BuildRejected,
)
PROCESSING_FAILED = ErrorText(
    "Apple could not prepare {build} for testing (PROCESSING_EXCEPTION)",
    remedy="upload it with build number {free}; if it fails again, contact Apple's developer support",
    error=BuildRejected,
)
COMPLIANCE_UNANSWERED = ErrorText(
    "{build} has no answer to Apple's export compliance question, whether it uses non-exempt encryption",
    remedy="set ITSAppUsesNonExemptEncryption in the app's Info.plist, or answer for this build with uses_non_exempt_encryption "
    "(config key usesNonExemptEncryption), then run `pulumi up` again",
)

DECLARATION_MISSING = ErrorText(
    "{build} uses encryption that is not exempt (ITSAppUsesNonExemptEncryption is true), and Apple has no declaration of it",
    remedy="give the build a declaration in App Store Connect (TestFlight > Manage next to Missing Compliance), then run "
    "`pulumi up` again; if its encryption is exempt, answer false with uses_non_exempt_encryption "
    "(config key usesNonExemptEncryption)",
)


class ProcessedBuildArgs(Record):
    app_id: Annotated[Input[str], REPLACES]
    upload_id: Annotated[Input[str], REPLACES]
    short_version: Annotated[Input[str], REPLACES]
    version: Annotated[Input[str], REPLACES]
    uses_non_exempt_encryption: Input[bool | None] = field(default=None)
    """The answer to Apple's question about export compliance, used only when the IPA does not answer it."""
    wait_seconds: Input[int] = field(default=WAIT_SECONDS)


class ProcessedBuildState(ProcessedBuildArgs):
    build_id: str
    minimum_os: str | None
    uploaded_at: str | None
    """ISO 8601, as are all times here."""
    expires_at: str | None
    """From then on, testers cannot start it: 90 days after the upload."""
    expired: bool


class ProcessedBuildProvider(Gate[ProcessedBuildArgs, ProcessedBuildState]):
    Args = ProcessedBuildArgs
    State = ProcessedBuildState

    def changed_fields(self, state: ProcessedBuildState, args: ProcessedBuildArgs) -> Iterable[str]:
        return set(super().changed_fields(state, args)) - {"wait_seconds", "uses_non_exempt_encryption"}

    def ensure(self, args: ProcessedBuildArgs) -> tuple[str, ProcessedBuildState]:
        store = client.AppStore(self.config)
        wait = _Wait(store, args)
        build = wait.until(wait.processed)
        if _internal_state(build) == "MISSING_EXPORT_COMPLIANCE":
            _answer_export_compliance(store, args, build)
        if _internal_state(build) in UNDECIDED:
            build = wait.until(wait.testable)
        return build.id, _state(args, build)

    def observe(self, id: str, state: ProcessedBuildState) -> ProcessedBuildState | None:
        build = client.AppStore(self.config).get(objects.Build, id, doing=f"read {_label(state)}")
        return _state(state, build) if build else None

    def sync(self, id: str, state: ProcessedBuildState, args: ProcessedBuildArgs) -> ProcessedBuildState:
        return self.ensure(args)[1]


class _Wait:
    """Polls upload, build and testing state, and shows what it saw last."""

    def __init__(self, store: "client.AppStore", args: ProcessedBuildArgs) -> None:
        self._store = store
        self._args = args
        self._build_id = ""
        self._seen = ""
        self._warned = False

    def until(self, reached: "Callable[[], objects.Build | None]") -> "objects.Build":
        return self._store.poll(
            reached,
            seconds=self._args.wait_seconds,
            waiting_for=f"Apple to process {_label(self._args)}",
            remedy="run `pulumi up` again to continue waiting; nothing is repeated",
            last_seen=lambda: self._seen,
            action="processing by Apple",
        )

    def processed(self) -> "objects.Build | None":
        """The build, once Apple has processed it."""
        self._build_id = self._build_id or self._find_build()
        if not self._build_id:
            return None
        build = self._store.get(
            objects.Build, self._build_id, doing=f"read {_label(self._args)}", query={"include": "buildBetaDetail"}
        )
        state = build.processing_state if build else "PROCESSING"
        if state in ("FAILED", "INVALID"):
            raise BUILD_INVALID(build_id=self._build_id, build=_label(self._args), state=state, free=self._free())
        if build is None or state != "VALID":
            self._seen = f"build {self._build_id} is {state}"
            return None
        internal = _internal_state(build)
        if internal == "PROCESSING_EXCEPTION":
            raise PROCESSING_FAILED(build=_label(self._args), free=self._free())
        self._seen = f"build {self._build_id} is {internal}"
        return None if internal == "PROCESSING" else build

    def testable(self) -> "objects.Build | None":
        """The build, once it can be tested: when the answer about export compliance, if needed, has taken effect."""
        build = self.processed()
        return build if build and _internal_state(build) not in UNDECIDED else None

    def _find_build(self) -> str:
        """The id of the build, empty while there is none. The record of the upload can lag behind the build for 20 minutes and
        more, and can vanish, so the build is looked for by its numbers as well."""
        args = self._args
        upload = self._store.get(
            objects.BuildUpload, args.upload_id, doing=f"read the upload of {_label(args)}", query={"include": "build"}
        )
        state = upload.state.state if upload else ""
        if upload and state == "FAILED":
            raise UPLOAD_REJECTED(build=_label(args), reasons=_reasons(upload.state.errors), free=self._free())
        if upload and state == "COMPLETE":
            self._warn(upload.state.warnings)
        if upload and upload.build:
            return upload.build.id
        seen = f"the upload is {state}" if upload else "neither the upload nor its build exists"
        self._seen = seen + (", its build does not exist yet" if state == "COMPLETE" else "")
        return self._find_by_numbers()

    def _find_by_numbers(self) -> str:
        args = self._args
        builds = self._store.list_all(
            objects.Build,
            doing=f"look up {_label(args)}",
            query={
                "include": "preReleaseVersion",
                "filter[app]": args.app_id,
                "filter[version]": versions.spellings(args.version),
            },
        )
        same = [build for build in builds if build.pre_release_version and _is_train(build.pre_release_version, args)]
        return same[0].id if same else ""

    def _warn(self, warnings: "Sequence[objects.StateProblem]") -> None:
        """Show once what Apple would like to be different in the next build."""
        if warnings and not self._warned:
            engine.warn(f"Apple accepts {_label(self._args)}, and warns: {_reasons(warnings)}")
            self._warned = True

    def _free(self) -> str:
        """The next build number that Apple accepts."""
        args = self._args
        return versions.next_free(args.version, taken(self._store, args.app_id, args.short_version))


def _is_train(found: "objects.PreReleaseVersion", args: ProcessedBuildArgs) -> bool:
    return found.platform == PLATFORM and versions.ordering(found.version) == versions.ordering(args.short_version)


def _internal_state(build: "objects.Build") -> str:
    return build.build_beta_detail.internal_build_state if build.build_beta_detail else "PROCESSING"


def _answer_export_compliance(store: "client.AppStore", args: ProcessedBuildArgs, build: "objects.Build") -> None:
    answer = args.uses_non_exempt_encryption
    if answer is None and build.uses_non_exempt_encryption is None:
        raise COMPLIANCE_UNANSWERED(build=_label(args))
    if answer or (answer is None and build.uses_non_exempt_encryption):
        raise DECLARATION_MISSING(build=_label(args))
    if build.uses_non_exempt_encryption is not False:
        # Apple refuses a second answer. `update` reads the answer back if Apple's response is lost.
        store.update(
            objects.Build,
            build.id,
            {"uses_non_exempt_encryption": False},
            doing=f"answer the export compliance of {_label(args)}",
        )


def _reasons(problems: "Sequence[objects.StateProblem]") -> str:
    reasons = []
    for problem in problems:
        advice = ADVICE.get(problem.code)
        text = f"{problem.code} {problem.description.strip().rstrip('.')}"
        reasons.append(text + (f" ({advice})" if advice else ""))
    return "; ".join(reasons) or "Apple gives no reason"


def _state(args: ProcessedBuildArgs, build: "objects.Build") -> ProcessedBuildState:
    return ProcessedBuildState(
        app_id=args.app_id,
        upload_id=args.upload_id,
        short_version=args.short_version,
        version=args.version,
        uses_non_exempt_encryption=args.uses_non_exempt_encryption,
        wait_seconds=args.wait_seconds,
        build_id=build.id,
        minimum_os=build.min_os_version,
        uploaded_at=build.uploaded_date,
        expires_at=build.expiration_date,
        expired=build.expired,
    )


def _label(args: ProcessedBuildArgs) -> str:
    return f"build {args.version} of {args.short_version}"


class ProcessedBuild(Resource[ProcessedBuildArgs], module="appstore", name="ProcessedBuild"):
    """A build that can be given to testers. `id` and `build_id` are Apple's id of the build."""

    provider = ProcessedBuildProvider
    build_id: Output[str]
    short_version: Output[str]
    version: Output[str]
    uploaded_at: Output[str | None]
    expires_at: Output[str | None]
