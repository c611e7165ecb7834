"""Which testers have installed the build, on which devices, with which sessions, crashes and feedback: Apple's evidence for a launch.

Testers take hours or days, and Apple's counts lag by hours, so nothing waits here, and time alone is no change: an unchanged stack
shows none while testers are missing. `pulumi refresh` and `pulumi up --refresh` look again, and so does an `up` in which the build, the
testers, or `asked_by` change, or on and after the day `due`.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pulumi import Output

from providers import engine, waiting
from providers.appstore.api import client, objects
from providers.appstore.ipa import versions
from providers.properties import KEPT, REPLACES
from providers.record import Input, Record, field
from providers.resource import Gate, Resource

INSTALLED = "INSTALLED"
"""The state of a tester who has installed a build."""


class InstallationsArgs(Record):
    app_id: Input[str]
    build_id: Annotated[Input[str], REPLACES]
    group_id: Annotated[Input[str], REPLACES]
    short_version: Annotated[Input[str], REPLACES]
    version: Annotated[Input[str], REPLACES]
    testers: Input[list[str]]
    """Addresses of those who have to install the build."""
    asked_by: Input[str] = field(default="")
    """Who needs the evidence now, for example to declare the launch. Another name asks Apple again."""
    due: Annotated[Input[str], KEPT] = field(default="")
    """The day from which each `up` asks again while something is missing, `2026-11-29`; empty for never."""


class InstallationsState(InstallationsArgs):
    devices: dict[str, list[str]]
    """The devices that have this build, with system and build as Apple names them, by address."""
    missing: list[str]
    """Addresses of those who have not installed it yet."""
    sessions: int
    crashes: int
    feedback: int
    """Number of feedback reports on the build: Apple's count, or the number of `reports` if that is higher."""
    reports: list[dict[str, str]]
    """What testers have sent, oldest first: `kind` (crash or screenshot), `by`, `device`, `at` (ISO 8601) and `comment`."""
    seen_at: str
    """ISO 8601."""


class InstallationsProvider(Gate[InstallationsArgs, InstallationsState]):
    Args = InstallationsArgs
    State = InstallationsState

    def changed_fields(self, state: InstallationsState, args: InstallationsArgs) -> Iterable[str]:
        yield from super().changed_fields(state, args)
        is_due = bool(args.due) and args.due <= waiting.utc_now().date().isoformat()
        if is_due and (state.missing or not state.sessions):
            yield "due"

    def ensure(self, args: InstallationsArgs) -> tuple[str, InstallationsState]:
        return f"{args.build_id}/{args.group_id}", self._look(args)

    def sync(self, id: str, state: InstallationsState, args: InstallationsArgs) -> InstallationsState:
        return self._look(args)

    def observe(self, id: str, state: InstallationsState) -> InstallationsState:
        return self._look(state)

    def _look(self, args: InstallationsArgs) -> InstallationsState:
        store = client.AppStore(self.config)
        members = store.list_all(
            objects.BetaTester, doing="look who has installed the build", query={"filter[betaGroups]": args.group_id}
        )
        members_by_email = {member.email.lower(): member for member in members}
        having = {email: _having(members_by_email.get(email.lower()), args) for email in args.testers}
        missing = [email for email, found in having.items() if not found]
        if missing:
            named = "; ".join(email + _instead(members_by_email.get(email.lower())) for email in missing)
            engine.note(f"not installed yet by {named}")
        usages = store.build_usage(objects.Build.ref(args.build_id), doing="read the usage of the build")
        reports = [report for kind in objects.FEEDBACK for report in _reports(store, args, kind)]
        crashes = [report for report in reports if report["kind"] == "crash"]
        return InstallationsState(
            app_id=args.app_id,
            build_id=args.build_id,
            group_id=args.group_id,
            short_version=args.short_version,
            version=args.version,
            testers=args.testers,
            asked_by=args.asked_by,
            due=args.due,
            devices={email: found for email, found in having.items() if found},
            missing=missing,
            sessions=sum(usage.session_count for usage in usages),
            crashes=max(sum(usage.crash_count for usage in usages), len(crashes)),
            feedback=max(sum(usage.feedback_count for usage in usages), len(reports)),
            reports=sorted(reports, key=lambda report: report["at"]),
            seen_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
        )


def _having(tester: "objects.BetaTester | None", args: InstallationsArgs) -> list[str]:
    """Those of a tester's devices that have the build. Where Apple names no build, the tester's own state is the evidence."""
    if tester is None:
        return []
    builds = {_named(device): _is_build(device.app_build_version, args) for device in tester.app_devices}
    if tester.state == INSTALLED and None in (builds or {"": None}).values() and True not in builds.values():
        unclear = [f"{name} ({INSTALLED})" for name, is_build in builds.items() if is_build is None]
        return unclear or [f"{INSTALLED}, as Apple says without a device"]
    return [name for name, is_build in builds.items() if is_build]


def _instead(tester: "objects.BetaTester | None") -> str:
    """What is seen of a tester who does not have the build."""
    if tester is None:
        return " (who is not in the group)"
    if tester.app_devices:
        return f" (who has {', '.join(map(_named, tester.app_devices))})"
    return f" ({tester.state})" if tester.state else ""


def _named(device: "objects.AppDevice") -> str:
    return f"{device.model}, iOS {device.os_version}: {device.app_build_version}"


def _reports(store: "client.AppStore", args: InstallationsArgs, kind: str) -> list[dict[str, str]]:
    listed = store.list_all(
        objects.FEEDBACK[kind],
        of=objects.App.ref(args.app_id),
        doing=f"read the {kind} reports of the build's testers",
        query={"filter[build]": args.build_id},
    )
    return [
        {
            "kind": kind,
            "by": report.email,
            "device": f"{report.device_model}, iOS {report.os_version}",
            "at": report.created_date.moment.astimezone(UTC).isoformat() if report.created_date else "",
            "comment": report.comment,
        }
        for report in listed
    ]


def _is_build(installed: str, args: InstallationsArgs) -> bool | None:
    """Whether a device has this build; None where its text does not say.

    Apple does not document the text, which is `1.0.0 (0)` in the one known record. So any two numbers are taken as version and build,
    in either order.
    """
    numbers = [versions.ordering(number) for number in re.findall(r"\d+(?:\.\d+){0,3}", installed)]
    wanted = [versions.ordering(args.short_version), versions.ordering(args.version)]
    return sorted(numbers) == sorted(wanted) if len(numbers) == len(wanted) else None


class Installations(Resource[InstallationsArgs], module="appstore", name="Installations"):
    """Which testers have installed the build. `missing` is empty once all have."""

    provider = InstallationsProvider
    devices: Output[dict[str, list[str]]]
    missing: Output[list[str]]
    sessions: Output[int]
    crashes: Output[int]
    feedback: Output[int]
    reports: Output[list[dict[str, str]]]
    seen_at: Output[str]
