"""The end of the chain: backend verified, build in testing, on every tester's phone, tried and signed off, then declared launched."""

from dataclasses import asdict, dataclass
from typing import Any

import pulumi

from components.backend import Backend
from components.settings import LaunchSettings, Release
from components.testflight import TestFlight
from providers.checks.launch_record import LaunchRecord


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the resources of the chain say by now."""

    verified_at: str
    instance: str
    image: str
    internal_state: str
    missing: list[str]
    devices: dict[str, list[str]]
    sessions: int
    crashes: int


class Launch(pulumi.ComponentResource):
    """`status` tells what is open, and since when the release is launched. The record exists once somebody declares it."""

    status: pulumi.Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        settings: LaunchSettings,
        release: Release,
        *,
        backend: Backend,
        testflight: TestFlight,
        protect: bool,
    ) -> None:
        super().__init__("solos:Launch", name)
        seen = pulumi.Output.all(
            verified_at=backend.rollout.verified_at,
            instance=backend.rollout.instance_id,
            image=backend.image,
            internal_state=testflight.distribution.internal_state,
            missing=testflight.installations.missing,
            devices=testflight.installations.devices,
            sessions=testflight.installations.sessions,
            crashes=testflight.installations.crashes,
        ).apply(lambda values: Seen(**values))
        requirements = seen.apply(lambda known: _requirements(known, settings))
        if settings.declared_by:
            record = LaunchRecord(
                f"launch-{release.label}",
                label=release.label,
                declared_by=settings.declared_by,
                hostname=backend.hostname,
                path=backend.health_path,
                requirements=requirements,
                waivers={key: asdict(waiver) for key, waiver in settings.waivers.items() if key in REQUIREMENTS},
                facts=seen.apply(lambda known: _facts(known, release)),
                withdrawn=settings.withdrawn or None,
                opts=pulumi.ResourceOptions(parent=self, protect=protect),
            )
            self.status = pulumi.Output.all(record.declared_at, record.declared_by, record.withdrawn).apply(
                lambda known: _declared(release, *known)
            )
        else:
            self.status = requirements.apply(lambda known: _not_declared(release, known))
        self.register_outputs({"status": self.status})


REQUIREMENTS = ("healthy", "distributed", "installed", "no-crashes", "smoke-test")
"""Rows of the checklist that have to hold, or to be waived, before a launch can be declared."""


def _requirements(seen: Seen, settings: LaunchSettings) -> list[dict[str, str]]:
    """Each with what is open about it, or why it holds."""
    crashes = f"{seen.crashes} crashes in {seen.sessions} sessions"
    unused = "" if seen.sessions else "Apple has counted no use of the build yet, which takes it hours: run up again"
    smoke_test = settings.smoke_test
    stated = {
        "healthy": ("", f"verified {seen.verified_at}, instance {seen.instance}"),
        "distributed": (
            "" if seen.internal_state == "IN_BETA_TESTING" else f"the build is {seen.internal_state}",
            seen.internal_state,
        ),
        "installed": (
            f"{', '.join(seen.missing)} have not installed the build" if seen.missing else "",
            "; ".join(f"{tester}: {', '.join(devices)}" for tester, devices in sorted(seen.devices.items())),
        ),
        "no-crashes": (crashes if seen.crashes else unused, crashes),
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
    }


def _not_declared(release: Release, requirements: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "label": release.label,
        "state": "not declared",
        "open": [f"{each['key']}: {each['open']}" for each in requirements if each["open"]],
    }


def _declared(release: Release, at: str, by: str, withdrawn: str | None) -> dict[str, Any]:
    status = {"label": release.label, "state": "launched", "declaredAt": at, "declaredBy": by}
    return {**status, "state": "withdrawn", "withdrawn": withdrawn} if withdrawn else status
