"""Who has installed the build, on which devices, and how it fared there: Apple's own evidence for a launch.

People take hours and days, so nothing waits here. As long as somebody is missing the resource differs from what it should be,
and each `up` looks again: two calls. Once everybody has the build it costs none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import engine, waiting
from providers.appstore import versions
from providers.appstore.client import AppStore, Entity
from providers.properties import REPLACES
from providers.resource import Provider, Resource


@dataclass(frozen=True, kw_only=True)
class InstallationsArgs:
    build_id: Annotated[str, REPLACES]
    group_id: Annotated[str, REPLACES]
    short_version: Annotated[str, REPLACES]
    version: Annotated[str, REPLACES]
    testers: list[str]
    """Addresses of those who have to install the build."""


@dataclass(frozen=True, kw_only=True)
class InstallationsState(InstallationsArgs):
    devices: dict[str, list[str]] = field(default_factory=dict)
    """Model and system of the devices that have this very build, by address."""
    missing: list[str] = field(default_factory=list)
    """Addresses of those who do not have it yet."""
    sessions: int = 0
    crashes: int = 0
    feedback: int = 0
    """Of the build, on all devices. Apple counts with a lag of hours (app-store-connect.md, section 19)."""
    seen_at: str = ""
    """ISO 8601."""


class InstallationsProvider(Provider[InstallationsArgs, InstallationsState]):
    Args = InstallationsArgs
    State = InstallationsState

    def differing(self, state: InstallationsState, args: InstallationsArgs) -> Iterable[str]:
        yield from super().differing(state, args)
        if state.missing:
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
        devices = {str(each["email"]).lower(): _devices(each, args) for each in members}
        missing = [email for email in args.testers if not devices.get(email.lower())]
        usages = store.metrics(f"/v1/builds/{args.build_id}/metrics/betaBuildUsages", doing="read how the build fares")
        if missing:
            engine.note(f"not installed yet by {', '.join(missing)}")
        return InstallationsState(
            build_id=args.build_id,
            group_id=args.group_id,
            short_version=args.short_version,
            version=args.version,
            testers=args.testers,
            devices={email: devices[email.lower()] for email in args.testers if email not in missing},
            missing=missing,
            sessions=sum(int(each.get("sessionCount") or 0) for each in usages),
            crashes=sum(int(each.get("crashCount") or 0) for each in usages),
            feedback=sum(int(each.get("feedbackCount") or 0) for each in usages),
            seen_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
        )


def _devices(tester: Entity, args: InstallationsArgs) -> list[str]:
    return [
        f"{device.get('model', 'unknown device')}, iOS {device.get('osVersion', 'unknown')}"
        for device in tester["appDevices"] or []
        if _is_build(str(device.get("appBuildVersion", "")), args)
    ]


def _is_build(installed: str, args: InstallationsArgs) -> bool:
    """Whether `1.0.0 (0)` is this build."""
    short_version, _, version = installed.rstrip(")").partition(" (")
    if versions.problem(short_version, "") or versions.problem(version, ""):
        return False
    return versions.ordering(short_version) == versions.ordering(args.short_version) and (
        versions.ordering(version) == versions.ordering(args.version)
    )


class Installations(Resource, module="appstore", name="Installations"):
    """Who has the build. `missing` is empty once everybody has."""

    provider = InstallationsProvider
    devices: Output[dict[str, list[str]]]
    missing: Output[list[str]]
    sessions: Output[int]
    crashes: Output[int]
    feedback: Output[int]
    seen_at: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        build_id: Input[str],
        group_id: Input[str],
        short_version: Input[str],
        version: Input[str],
        testers: Input[Sequence[Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "build_id": build_id,
            "group_id": group_id,
            "short_version": short_version,
            "version": version,
            "testers": testers,
        }
        super().__init__(resource_name, arguments, opts)
