"""The gate between an upload and its testers: Apple has taken the IPA, made a build of it, and lets people test it.

It takes minutes as a rule, and sometimes more than an hour until the build record shows up (MentraOS #3856). All that happens
here is waiting, so it can be interrupted anywhere: the next `up` waits on, and nothing is uploaded twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import engine
from providers.appstore.api.client import AppStore, Entity
from providers.appstore.api.upload import upload_state
from providers.appstore.build import PLATFORM
from providers.appstore.ipa import versions
from providers.errors import ProviderError
from providers.properties import REPLACES
from providers.resource import Provider, Resource

WAIT_SECONDS = 3 * 3600
ADVICE = {
    "90022": "put the icon into the asset catalogue",
    "90034": "archive it with the distribution certificate",
    "90054": "the IPA is another app's: build it with the stack's bundle ID",
    "90055": "the IPA is another app's: build it with the stack's bundle ID",
    "90062": "the version is closed or lower than one before: raise solos:version",
    "90087": "export the archive of a device build, not one for the simulator",
    "90159": "export it with a profile of the team that the app belongs to",
    "90161": "export it with an App Store profile that is valid",
    "90164": "export it with a profile of the app's bundle ID and capabilities",
    "90174": "export it for the App Store",
    "90186": "the version is closed for new builds: raise solos:version",
    "90189": "this build number is taken: raise solos:build",
    "90208": "give app and frameworks the same deployment target",
    "90474": "support all orientations on iPads, or set UIRequiresFullScreen",
    "90475": "add a launch screen, or set UIRequiresFullScreen",
    "90478": "the version is closed or lower than one before: raise solos:version",
    "90683": "add the text that the key asks for to Info.plist, and the key to solos:usageDescriptions",
    "90713": "name the icon set in Info.plist (CFBundleIconName)",
    "90725": "build it with the Xcode that Apple asks for",
}
"""What to do about Apple's codes (app-store-connect.md, section 13.2, and `ipa/problems.py`)."""
UNDECIDED = ("PROCESSING", "MISSING_EXPORT_COMPLIANCE", "IN_EXPORT_COMPLIANCE_REVIEW")
"""Internal build states that come before a build may be tested."""


class BuildRejected(ProviderError):
    """Apple has looked into the IPA and refused it."""

    __module__ = "builtins"


@dataclass(frozen=True, kw_only=True)
class ProcessedBuildArgs:
    app_id: Annotated[str, REPLACES]
    upload_id: Annotated[str, REPLACES]
    short_version: Annotated[str, REPLACES]
    version: Annotated[str, REPLACES]
    uses_non_exempt_encryption: bool | None = None
    """The answer to Apple's question about export compliance. Only asked, and only given, when the IPA does not say it."""
    wait_seconds: int = WAIT_SECONDS


@dataclass(frozen=True, kw_only=True)
class ProcessedBuildState(ProcessedBuildArgs):
    build_id: str
    minimum_os: str | None = None
    uploaded_at: str | None = None
    """ISO 8601, as are all times here."""
    expires_at: str | None = None
    """When testers can no longer start it: 90 days after the upload."""
    expired: bool = False


class ProcessedBuildProvider(Provider[ProcessedBuildArgs, ProcessedBuildState]):
    Args = ProcessedBuildArgs
    State = ProcessedBuildState

    def changed_fields(self, state: ProcessedBuildState, args: ProcessedBuildArgs) -> Iterable[str]:
        return set(super().changed_fields(state, args)) - {"wait_seconds", "uses_non_exempt_encryption"}

    def ensure(self, args: ProcessedBuildArgs) -> tuple[str, ProcessedBuildState]:
        store = AppStore(self.config)
        wait = _Wait(store, args)
        build = wait.until(wait.processed)
        if wait.internal_state(build) == "MISSING_EXPORT_COMPLIANCE":
            _answer_export_compliance(store, args, build)
        if wait.internal_state(build) in UNDECIDED:
            build = wait.until(wait.testable)
        return build.id, _state(args, build)

    def observe(self, id: str, state: ProcessedBuildState) -> ProcessedBuildState | None:
        build = AppStore(self.config).get(f"/v1/builds/{id}", doing=f"read {_label(state)}")
        return _state(state, build) if build else None

    def sync(self, id: str, state: ProcessedBuildState, args: ProcessedBuildArgs) -> ProcessedBuildState:
        return self.ensure(args)[1]

    def remove(self, id: str, state: ProcessedBuildState) -> None:
        """Nothing: builds cannot be deleted, they expire."""


class _Wait:
    """Looks at upload, build and beta detail until a state is reached; knows what it saw last, for whoever waits with it."""

    def __init__(self, store: AppStore, args: ProcessedBuildArgs) -> None:
        self._store = store
        self._args = args
        self._show = engine.progress()
        self._build_id = ""
        self._seen = ""

    def until(self, reached: Any) -> Entity:
        found: Entity = self._store.poll(
            reached,
            seconds=self._args.wait_seconds,
            waiting_for=f"Apple to process {_label(self._args)} (run up again to wait on, nothing is repeated)",
            last_seen=lambda: self._seen,
        )
        return found

    def processed(self) -> Entity | None:
        """The build, once Apple has looked through all of it."""
        self._build_id = self._build_id or self._find_build()
        if not self._build_id:
            return None
        build = self._read_build()
        state = (build and build["processingState"]) or "PROCESSING"
        if state in ("FAILED", "INVALID"):
            raise BuildRejected(
                f"Apple made build {self._build_id} of {_label(self._args)} but found it {state.lower()}, and wrote why to the "
                f"team by e-mail: mend the IPA, and upload it with build number {versions.next_free(self._args.version, [])}"
            )
        if build is None or state != "VALID":
            self._note(f"build {self._build_id} is {state}")
            return None
        internal = self.internal_state(build)
        if internal == "PROCESSING_EXCEPTION":
            raise BuildRejected(
                f"Apple could not prepare {_label(self._args)} for testing (PROCESSING_EXCEPTION): upload it with build number "
                f"{versions.next_free(self._args.version, [])}, and if it stays so, write to Apple's developer support"
            )
        self._note(f"build {self._build_id} is {internal}")
        return None if internal == "PROCESSING" else build

    def testable(self) -> Entity | None:
        """The build, once it may be tested: when the answer about export compliance, if one was needed, has taken effect."""
        build = self.processed()
        return build if build and self.internal_state(build) not in UNDECIDED else None

    @staticmethod
    def internal_state(build: Entity) -> str:
        detail = build.related("buildBetaDetail")
        return str(detail["internalBuildState"]) if detail else "PROCESSING"

    def _find_build(self) -> str:
        """The id of the build, empty as long as there is none. Apple forgets uploads, then its numbers find it."""
        args = self._args
        upload = self._store.get(
            f"/v1/buildUploads/{args.upload_id}", doing=f"read the upload of {_label(args)}", include="build"
        )
        if upload is None:
            builds = self._store.list_all(
                "/v1/builds",
                doing=f"look up {_label(args)}",
                **{
                    "filter[app]": args.app_id,
                    "filter[preReleaseVersion.version]": versions.spellings(args.short_version),
                    "filter[preReleaseVersion.platform]": PLATFORM,
                },
            )
            wanted = versions.ordering(args.version)
            self._note("neither the upload nor its build is there")
            return next((each.id for each in builds if versions.ordering(str(each["version"])) == wanted), "")
        state = upload_state(upload)
        if state == "FAILED":
            raise BuildRejected(_rejection(args, upload["state"].get("errors") or []))
        self._note(f"the upload is {state}" + (", its build not there yet" if state == "COMPLETE" else ""))
        return next(iter(upload.linked("build")), "")

    def _read_build(self) -> Entity | None:
        return self._store.get(
            f"/v1/builds/{self._build_id}", doing=f"read {_label(self._args)}", include="buildBetaDetail"
        )

    def _note(self, seen: str) -> None:
        self._seen = seen
        self._show(seen)


def _answer_export_compliance(store: AppStore, args: ProcessedBuildArgs, build: Entity) -> None:
    if args.uses_non_exempt_encryption is None:
        raise ProviderError(
            f"{_label(args)} waits for the answer whether it uses encryption that needs an export licence: say so in the app's "
            "Info.plist (ITSAppUsesNonExemptEncryption), or answer for this build with "
            "`pulumi config set usesNonExemptEncryption false`, and run up again"
        )
    if build["usesNonExemptEncryption"] is None:
        # A second answer would be refused (fastlane guards the same way); a lost one is read back by `update`.
        store.update(
            build,
            {"usesNonExemptEncryption": args.uses_non_exempt_encryption},
            doing=f"answer the export compliance of {_label(args)}",
        )


def _rejection(args: ProcessedBuildArgs, errors: list[dict[str, Any]]) -> str:
    reasons = []
    for error in errors:
        code, text = str(error.get("code", "")), str(error.get("description", "")).strip().rstrip(".")
        advice = ADVICE.get(code)
        reasons.append(f"{code} {text}" + (f" ({advice})" if advice else ""))
    return (
        f"Apple refused {_label(args)}: {'; '.join(reasons) or 'without a reason'}: mend the IPA and run up again, "
        "its build number is still free (the same IPA goes up again by `pulumi up --refresh`)"
    )


def _state(args: ProcessedBuildArgs, build: Entity) -> ProcessedBuildState:
    given = {field.name: getattr(args, field.name) for field in fields(ProcessedBuildArgs)}
    return ProcessedBuildState(
        **given,
        build_id=build.id,
        minimum_os=build["minOsVersion"],
        uploaded_at=build["uploadedDate"],
        expires_at=build["expirationDate"],
        expired=bool(build["expired"]),
    )


def _label(args: ProcessedBuildArgs) -> str:
    return f"build {args.version} of {args.short_version}"


class ProcessedBuild(Resource[Any], module="appstore", name="ProcessedBuild"):
    """A build that testers can be given. `id` and `build_id` are Apple's id of the build."""

    provider = ProcessedBuildProvider
    build_id: Output[str]
    short_version: Output[str]
    version: Output[str]
    uploaded_at: Output[str | None]
    expires_at: Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        app_id: Input[str],
        upload_id: Input[str],
        short_version: Input[str],
        version: Input[str],
        uses_non_exempt_encryption: Input[bool] | None = None,
        wait_seconds: Input[int] = WAIT_SECONDS,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "app_id": app_id,
            "upload_id": upload_id,
            "short_version": short_version,
            "version": version,
            "uses_non_exempt_encryption": uses_non_exempt_encryption,
            "wait_seconds": wait_seconds,
        }
        super().__init__(resource_name, arguments, opts)
