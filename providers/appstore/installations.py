"""Who has installed the build, on which devices, how it fared there and what they say: Apple's own evidence for a launch.

People take hours and days, and Apple counts with a lag of hours (app-store-connect.md, section 19), so nothing waits here. As
long as somebody is missing, or no use is counted yet, the resource differs from what it should be, and each `up` looks again:
four calls. After that it costs none; refresh looks in any case.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import engine, waiting
from providers.appstore.api.client import AppStore
from providers.appstore.ipa import versions
from providers.properties import REPLACES
from providers.resource import Provider, Resource

FEEDBACK = {"crash": "betaFeedbackCrashSubmissions", "screenshot": "betaFeedbackScreenshotSubmissions"}
"""What testers send from their phones, and Apple's name of it."""


@dataclass(frozen=True, kw_only=True)
class InstallationsArgs:
    app_id: str
    build_id: Annotated[str, REPLACES]
    group_id: Annotated[str, REPLACES]
    short_version: Annotated[str, REPLACES]
    version: Annotated[str, REPLACES]
    testers: list[str]
    """Addresses of those who have to install the build."""


@dataclass(frozen=True, kw_only=True)
class InstallationsState(InstallationsArgs):
    devices: dict[str, list[str]] = field(default_factory=dict)
    """The devices that have this very build, with system and build, by address."""
    missing: list[str] = field(default_factory=list)
    """Addresses of those who do not have it yet."""
    sessions: int = 0
    crashes: int = 0
    feedback: int = 0
    """Of the build, on all devices: as many as Apple counts, or as reports are there, whichever is more."""
    reports: list[dict[str, str]] = field(default_factory=list)
    """What testers have sent, oldest first: `kind` (crash or screenshot), `by`, `device`, `at` (ISO 8601) and `comment`."""
    seen_at: str = ""
    """ISO 8601."""


class InstallationsProvider(Provider[InstallationsArgs, InstallationsState]):
    Args = InstallationsArgs
    State = InstallationsState

    def changed_fields(self, state: InstallationsState, args: InstallationsArgs) -> Iterable[str]:
        yield from super().changed_fields(state, args)
        if state.missing or not state.sessions:
            yield "testers"

    def ensure(self, args: InstallationsArgs) -> tuple[str, InstallationsState]:
        return f"{args.build_id}/{args.group_id}", self._look(args)

    def sync(self, id: str, state: InstallationsState, args: InstallationsArgs) -> InstallationsState:
        return self._look(args)

    def observe(self, id: str, state: InstallationsState) -> InstallationsState:
        return self._look(state)

    def remove(self, id: str, state: InstallationsState) -> None:
        """Nothing: what people have on their phones is theirs."""

    def _look(self, args: InstallationsArgs) -> InstallationsState:
        store = AppStore(self.config)
        members = store.list_all(
            "/v1/betaTesters", doing="look who has installed the build", **{"filter[betaGroups]": args.group_id}
        )
        devices = {str(each["email"]).lower(): each["appDevices"] or [] for each in members}
        having = {email: _having(devices.get(email.lower(), []), args) for email in args.testers}
        missing = [email for email, found in having.items() if not found]
        if missing:
            told = "; ".join(email + _instead(devices.get(email.lower(), [])) for email in missing)
            engine.note(f"not installed yet by {told}")
        usages = store.metrics(f"/v1/builds/{args.build_id}/metrics/betaBuildUsages", doing="read how the build fares")
        reports = [report for kind in FEEDBACK for report in _reports(store, args, kind)]
        crashes = [report for report in reports if report["kind"] == "crash"]
        return InstallationsState(
            app_id=args.app_id,
            build_id=args.build_id,
            group_id=args.group_id,
            short_version=args.short_version,
            version=args.version,
            testers=args.testers,
            devices={email: found for email, found in having.items() if found},
            missing=missing,
            sessions=_count(usages, "sessionCount"),
            crashes=max(_count(usages, "crashCount"), len(crashes)),
            feedback=max(_count(usages, "feedbackCount"), len(reports)),
            reports=sorted(reports, key=lambda report: report["at"]),
            seen_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
        )


def _having(devices: Iterable[Mapping[str, str]], args: InstallationsArgs) -> list[str]:
    """Those of a tester's devices that have the build."""
    return [_named(device) for device in devices if _is_build(str(device.get("appBuildVersion", "")), args)]


def _instead(devices: Sequence[Mapping[str, str]]) -> str:
    return f" (who has {', '.join(map(_named, devices))})" if devices else ""


def _named(device: Mapping[str, str]) -> str:
    unknown = "unknown"
    return f"{device.get('model', unknown)}, iOS {device.get('osVersion', unknown)}: {device.get('appBuildVersion', unknown)}"


def _count(usages: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(each.get(name) or 0) for each in usages)


def _reports(store: AppStore, args: InstallationsArgs, kind: str) -> list[dict[str, str]]:
    listed = store.list_all(
        f"/v1/apps/{args.app_id}/{FEEDBACK[kind]}",
        doing=f"read the {kind} reports of the build's testers",
        **{"filter[build]": args.build_id},
    )
    return [
        {
            "kind": kind,
            "by": str(each["email"] or "unknown"),
            "device": f"{each['deviceModel'] or 'unknown'}, iOS {each['osVersion'] or 'unknown'}",
            "at": datetime.fromisoformat(each["createdDate"]).astimezone(UTC).isoformat()
            if each["createdDate"]
            else "",
            "comment": str(each["comment"] or ""),
        }
        for each in listed
    ]


def _is_build(installed: str, args: InstallationsArgs) -> bool:
    """Whether `1.0.0 (0)` is this build."""
    short_version, _, version = installed.rstrip(")").partition(" (")
    if versions.problem(short_version, "") or versions.problem(version, ""):
        return False
    return versions.ordering(short_version) == versions.ordering(args.short_version) and (
        versions.ordering(version) == versions.ordering(args.version)
    )


class Installations(Resource[Any], module="appstore", name="Installations"):
    """Who has the build. `missing` is empty once everybody has."""

    provider = InstallationsProvider
    devices: Output[dict[str, list[str]]]
    missing: Output[list[str]]
    sessions: Output[int]
    crashes: Output[int]
    feedback: Output[int]
    reports: Output[list[dict[str, str]]]
    seen_at: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        app_id: Input[str],
        build_id: Input[str],
        group_id: Input[str],
        short_version: Input[str],
        version: Input[str],
        testers: Input[Sequence[Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "app_id": app_id,
            "build_id": build_id,
            "group_id": group_id,
            "short_version": short_version,
            "version": version,
            "testers": testers,
        }
        super().__init__(resource_name, arguments, opts)
