"""The end of the chain: backend verified, build uploaded, testers have it, smoke test signed off, then declared launched."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pulumi

from components.backend.component import Backend
from components.launch.settings import LaunchSettings
from components.launch.smoke_test import SmokeTest
from components.monitoring.component import Monitoring
from components.release import Release
from components.testflight.component import TestFlight
from providers.checks.launch_record import HEALTHY, LaunchRecord

REQUIREMENTS = (
    HEALTHY,
    "backups",
    "monitoring",
    "logging",
    "alerting",
    "signing",
    "distributed",
    "installed",
    "no-crashes",
    "smoke-test",
)
"""Rows of the checklist that have to hold, or to be waived, before a launch can be declared. The others hold when these can."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the resources of the chain say by now. What the stack does not have is empty."""

    verified_at: str
    instance: str
    image: str
    restored_at: str
    watched_at: str
    lines: int
    alert_resolved_at: str
    profile: str
    uploaded_at: str
    internal_state: str
    missing: list[str]
    devices: dict[str, list[str]]
    sessions: int
    crashes: int
    looked_at: str


class Launch(pulumi.ComponentResource):
    """`status` tells how far the chain is, what is open, and since when the release is launched. The record exists once somebody
    declares it."""

    status: dict[str, pulumi.Input[Any]]

    def __init__(
        self,
        name: str,
        settings: LaunchSettings,
        release: Release,
        *,
        backend: Backend,
        monitoring: Monitoring | None,
        testflight: TestFlight,
        org: str,
        protect: bool,
    ) -> None:
        super().__init__("solos:Launch", name)
        inner = pulumi.ResourceOptions(parent=self, protect=protect)
        seen = _seen(backend, monitoring, testflight)
        requirements = seen.apply(
            lambda known: _requirements(known, settings.smoke_test, with_monitor=bool(monitoring))
        )
        for label, withdrawn in settings.earlier.items():
            LaunchRecord(f"launch-{label}", label=label, withdrawn=withdrawn or None, opts=inner)
        self.status = {
            "label": release.label,
            "state": "not declared",
            "steps": _steps(backend, testflight, settings.smoke_test),
            "open": requirements.apply(
                lambda known: [f"{each['key']}: {each['open']}" for each in known if each["open"]]
            ),
        }
        if settings.declared_by:
            record = LaunchRecord(
                f"launch-{release.label}",
                label=release.label,
                declared_by=settings.declared_by,
                hostname=backend.hostname,
                path=backend.health_path,
                org=org,
                app=backend.app,
                machine_id=backend.machine.id,
                verified_at=backend.rollout.verified_at,
                requirements=requirements,
                waivers={key: asdict(waiver) for key, waiver in settings.waivers.items() if key in REQUIREMENTS},
                facts=seen.apply(lambda known: _facts(known, release)),
                withdrawn=settings.withdrawn or None,
                opts=inner,
            )
            self.status |= {
                "state": "withdrawn" if settings.withdrawn else record.declared_at.apply(lambda _: "launched"),
                "declaredAt": record.declared_at,
                "declaredBy": record.declared_by,
                **({"withdrawn": record.withdrawn, "withdrawnAt": record.withdrawn_at} if settings.withdrawn else {}),
            }
        self.register_outputs({"status": self.status})


def _seen(backend: Backend, monitoring: Monitoring | None, testflight: TestFlight) -> pulumi.Output[Seen]:
    watch, drill = (monitoring.watch, monitoring.alert_drill) if monitoring else (None, None)
    return pulumi.Output.all(
        verified_at=backend.rollout.verified_at,
        instance=backend.rollout.instance_id,
        image=backend.image,
        restored_at=backend.restored_at or "",
        watched_at=watch.seen_at if watch else "",
        lines=watch.lines if watch else 0,
        alert_resolved_at=drill.resolved_at if drill else "",
        profile=testflight.signing.profile.full_name if testflight.signing else "",
        uploaded_at=testflight.processed.uploaded_at,
        internal_state=testflight.distribution.internal_state,
        missing=testflight.installations.missing,
        devices=testflight.installations.devices,
        sessions=testflight.installations.sessions,
        crashes=testflight.installations.crashes,
        looked_at=testflight.installations.seen_at,
    ).apply(lambda values: Seen(**values))


def _steps(backend: Backend, testflight: TestFlight, smoke_test: SmokeTest) -> Mapping[str, pulumi.Input[str]]:
    """Each step of the chain and its state, by itself: a preview shows those that are known, whatever is still to come."""
    summary = smoke_test.summary()
    return {
        "backendVerified": pulumi.Output.format(
            "{0}, instance {1}", backend.rollout.verified_at, backend.rollout.instance_id
        ),
        "buildUploaded": pulumi.Output.format(
            "upload {0}, build {1}", testflight.build.upload_id, testflight.processed.build_id
        ),
        "testersHaveIt": testflight.installations.missing.apply(
            lambda missing: f"installed by {len(smoke_test.testers) - len(missing)} of {len(smoke_test.testers)}"
        ),
        "smokeTest": f"{summary['signedOff']} of {summary['of']} signed off",
    }


def _requirements(seen: Seen, smoke_test: SmokeTest, *, with_monitor: bool) -> list[dict[str, str]]:
    """Each with what is open about it, or why it holds."""
    crashes = f"{seen.crashes} crashes in {seen.sessions} sessions"
    no_monitor = "" if with_monitor else "there is no monitor: solos:monitoring is empty"
    not_proven = no_monitor or 'it is not proven: solos:monitoring.drill is "false"'
    stated = {
        HEALTHY: ("", f"verified {seen.verified_at}, instance {seen.instance}"),
        "backups": (
            "" if seen.restored_at else 'no restore is tried: solos:database.restoreDrill is "false"',
            f"restored {seen.restored_at}",
        ),
        "monitoring": ("" if seen.watched_at else not_proven, f"sees the backend, {seen.watched_at}"),
        "logging": (
            "" if seen.lines else no_monitor or "no log line had come when the monitor was asked",
            f"{int(seen.lines)} lines, {seen.watched_at}",
        ),
        "alerting": ("" if seen.alert_resolved_at else not_proven, f"drill resolved {seen.alert_resolved_at}"),
        "signing": (
            ""
            if seen.profile
            else "the stack keeps no certificate: set solos:signing, or waive this row where builds are signed elsewhere",
            f"profile '{seen.profile}'",
        ),
        "distributed": (
            "" if seen.internal_state == "IN_BETA_TESTING" else f"the build is {seen.internal_state}",
            seen.internal_state,
        ),
        "installed": (
            f"{', '.join(seen.missing)} have not installed the build" if seen.missing else "",
            "; ".join(f"{tester}: {', '.join(devices)}" for tester, devices in sorted(seen.devices.items())),
        ),
        "no-crashes": (
            crashes
            if seen.crashes
            else ""
            if seen.sessions
            else "Apple has counted no use of the build yet, which takes it hours: run up again",
            crashes,
        ),
        "smoke-test": ("; ".join(smoke_test.open()), f"{len(list(smoke_test.wanted()))} sign-offs"),
    }
    return [
        {"key": key, "open": open_, "evidence": "" if open_ else evidence} for key, (open_, evidence) in stated.items()
    ]


def _facts(seen: Seen, release: Release) -> dict[str, str]:
    return {
        "version": release.version,
        "build": release.build,
        "image": seen.image,
        "instance": seen.instance,
        "testers": ", ".join(sorted(seen.devices)),
        "backendVerifiedAt": seen.verified_at,
        "buildUploadedAt": seen.uploaded_at,
        "testersLookedAt": seen.looked_at,
    }
