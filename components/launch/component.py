"""The end of the chain: backend verified, build uploaded, testers have it, smoke test signed off, then declared launched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.base import Component
from components.deployment import Deployment
from components.launch.settings import LaunchSettings
from components.launch.smoke_test import SmokeTest
from components.monitoring.component import Monitoring
from components.release import Release
from providers.checks.launch_record import HEALTHY, LaunchRecord, LaunchRecordArgs, Requirement

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


class Launch(Component):
    """`status` tells how far the chain is, what is open, and since when the release is launched. The record exists once somebody
    declares it."""

    status: dict[str, pulumi.Input[Any]]

    def __init__(
        self,
        name: str,
        settings: LaunchSettings,
        release: Release,
        *,
        deployment: Deployment,
        monitoring: Monitoring | None,
        org: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`protect` in `opts` protects the records."""
        super().__init__(name, opts)
        backend = deployment.backend
        seen = _seen(deployment, monitoring)
        requirements = seen.apply(
            lambda known: _requirements(known, settings.smoke_test, with_monitor=bool(monitoring))
        )
        for label, withdrawn in settings.earlier.items():
            LaunchRecord(
                f"{name}-{label}", LaunchRecordArgs(label=label, withdrawn=withdrawn or None), self.protected_opts()
            )
        self.status = {
            "label": release.label,
            "state": "not declared",
            "steps": _steps(deployment, settings.smoke_test),
            "open": requirements.apply(
                lambda known: [f"{each['key']}: {each['open']}" for each in known if each["open"]]
            ),
        }
        if settings.declared_by:
            record = LaunchRecord(
                f"{name}-{release.label}",
                LaunchRecordArgs(
                    label=release.label,
                    declared_by=settings.declared_by,
                    hostname=backend.hostname,
                    path=backend.health_path,
                    org=org,
                    app=backend.app,
                    machine_id=backend.machine.id,
                    verified_at=backend.rollout.verified_at,
                    requirements=requirements.apply(lambda known: [Requirement(**each) for each in known]),
                    waivers={key: waiver for key, waiver in settings.waivers.items() if key in REQUIREMENTS},
                    facts=seen.apply(lambda known: _facts(known, release)),
                    withdrawn=settings.withdrawn or None,
                ),
                self.protected_opts(),
            )
            self.status |= {
                "state": "withdrawn" if settings.withdrawn else record.declared_at.apply(lambda _: "launched"),
                "declaredAt": record.declared_at,
                "declaredBy": record.declared_by,
                **({"withdrawn": record.withdrawn, "withdrawnAt": record.withdrawn_at} if settings.withdrawn else {}),
            }
        self.register_outputs({"status": self.status})


def _seen(deployment: Deployment, monitoring: Monitoring | None) -> pulumi.Output[Seen]:
    backend, signing = deployment.backend, deployment.testflight.signing
    watch, drill = (monitoring.watch, monitoring.alert_drill) if monitoring else (None, None)
    return pulumi.Output.all(
        verified_at=backend.rollout.verified_at,
        instance=backend.rollout.instance_id,
        image=backend.image,
        restored_at=backend.restored_at or "",
        watched_at=watch.seen_at if watch else "",
        lines=watch.lines if watch else 0,
        alert_resolved_at=drill.resolved_at if drill else "",
        profile=signing.profile.full_name if signing else "",
        uploaded_at=deployment.processed.uploaded_at,
        internal_state=deployment.distribution.internal_state,
        missing=deployment.installations.missing,
        devices=deployment.installations.devices,
        sessions=deployment.installations.sessions,
        crashes=deployment.installations.crashes,
        looked_at=deployment.installations.seen_at,
    ).apply(lambda values: Seen(**values))


def _steps(deployment: Deployment, smoke_test: SmokeTest) -> Mapping[str, pulumi.Input[str]]:
    """Each step of the chain and its state, by itself: a preview shows those that are known, whatever is still to come."""
    summary = smoke_test.summary()
    return {
        "backendVerified": pulumi.Output.format(
            "{0}, instance {1}", deployment.backend.rollout.verified_at, deployment.backend.rollout.instance_id
        ),
        "buildUploaded": pulumi.Output.format(
            "upload {0}, build {1}", deployment.build.upload_id, deployment.processed.build_id
        ),
        "testersHaveIt": deployment.installations.missing.apply(
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
