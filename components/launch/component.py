"""The launch: the checklist as its gate, and the record of its declaration."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar, cast

import pulumi
from msgspec.structs import asdict

from checklist.ios_build import NO_BUILD, SET_IPA
from checklist.known import SignOffs
from checklist.row import Finding, State
from checklist.rows import examine
from components.base import Component
from components.deployment import Build, Deployment
from components.launch.known import known
from components.launch.settings import LaunchSettings
from components.launch.smoke_test import SmokeTest
from components.monitoring.component import Monitoring
from components.release import Release
from providers.checks.launch_record import LaunchRecord, LaunchRecordArgs, Requirement
from providers.checks.release import Release as CheckedRelease
from providers.checks.release import ReleaseArgs

T = TypeVar("T")


class Launch(Component):
    """`status` is the stack output `launch`: the steps so far, which rows are open or waived, and since when the release is launched.
    The record exists once somebody declares the launch."""

    status: dict[str, pulumi.Input[Any]]

    def __init__(
        self,
        name: str,
        settings: LaunchSettings,
        release: Release,
        *,
        deployment: Deployment,
        monitoring: Monitoring | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`protect` in `opts` protects the records."""
        super().__init__(name, opts)
        backend = deployment.backend
        waivers = {key: asdict(waiver) for key, waiver in settings.waivers.items()}
        findings = known(
            [deployment, *([monitoring] if monitoring else [])],
            sign_offs=SignOffs.read(settings.smoke_test.summary()),
            label=release.label,
        ).apply(lambda known: examine(known, waivers))
        checked = CheckedRelease(
            f"{name}-release",
            ReleaseArgs(
                label=release.label, declared_by=settings.declared_by, has_build=_is_uploaded(deployment.build)
            ),
            self.child_opts(),
        )
        for label, withdrawn in settings.earlier.items():
            LaunchRecord(
                f"{name}-{label}", LaunchRecordArgs(label=label, withdrawn=withdrawn or None), self.child_opts()
            )
        self.status = {
            "label": release.label,
            "state": "not declared",
            "steps": _steps(deployment, settings.smoke_test),
            "open": findings.apply(
                lambda found: [f"{finding.row.key}: {finding.problem}" for finding in found if finding.blocks]
            ),
            "waived": findings.apply(
                lambda found: [
                    f"{finding.row.key}: {finding.summary}" for finding in found if finding.state is State.WAIVED
                ]
            ),
        }
        if settings.declared_by and deployment.build:
            record = LaunchRecord(
                f"{name}-{release.label}",
                LaunchRecordArgs(
                    label=release.label,
                    declared_by=_value(checked.declared_by),
                    hostname=_value(backend.hostname),
                    path=backend.health_path,
                    org=backend.settings.org,
                    app=_value(backend.app),
                    machine_id=_value(backend.machine.id),
                    verified_at=_value(backend.rollout.verified_at),
                    requirements=_value(findings.apply(_requirements)),
                    waivers=dict(settings.waivers),
                    facts=_value(_facts(deployment, deployment.build, release)),
                    withdrawn=settings.withdrawn or None,
                ),
                self.child_opts(),
            )
            self.status |= {
                "state": "withdrawn" if settings.withdrawn else _state(record, release),
                "declaredAt": record.declared_at,
                "declaredBy": record.declared_by,
                **({"withdrawn": record.withdrawn, "withdrawnAt": record.withdrawn_at} if settings.withdrawn else {}),
            }
        self.register_outputs({"status": self.status})


def _value(output: pulumi.Output[T]) -> pulumi.Output[T]:
    """The output without the resources that it comes from: the record outlives them, also in the state, where
    `pulumi state delete --target-dependents` and a destroy of targets take dependents along."""
    value = cast("Awaitable[T]", output.future(with_unknowns=True))
    return pulumi.Output(set(), value, output.is_known(), output.is_secret())


def _state(record: LaunchRecord, release: Release) -> pulumi.Output[str]:
    """`launched`, if the declared build is this one."""

    def compared(facts: Mapping[str, str]) -> str:
        declared = f"{facts['version']} ({facts['build']})"
        if declared == release.build_name:
            return "launched"
        return f"not declared with {release.build_name}: {release.label} was declared with {declared}"

    return record.facts.apply(compared)


def _steps(deployment: Deployment, smoke_test: SmokeTest) -> Mapping[str, pulumi.Input[str]]:
    """Each step and its state, as an output of its own: a preview shows those that are known."""
    summary, build = smoke_test.summary(), deployment.build
    return {
        "backendVerified": pulumi.Output.format(
            "{0}, instance {1}", deployment.backend.rollout.verified_at, deployment.backend.rollout.instance_id
        ),
        "buildUploaded": pulumi.Output.format("upload {0}, build {1}", build.upload.upload_id, build.processed.build_id)
        if build
        else f"{NO_BUILD}: {SET_IPA}",
        "buildInstalled": build.installations.missing.apply(
            lambda missing: f"installed by {len(smoke_test.testers) - len(missing)} of {len(smoke_test.testers)}"
        )
        if build
        else NO_BUILD,
        "smokeTest": f"{summary['signedOff']} of {summary['of']} signed off",
    }


def _requirements(findings: Sequence[Finding]) -> list[Requirement]:
    """The rows that block a launch, in the form that the record stores."""
    return [
        Requirement(key=finding.row.key, open=finding.problem, evidence="" if finding.problem else finding.text)
        for finding in findings
        if finding.row.blocks
    ]


def _is_uploaded(build: Build | None) -> pulumi.Input[bool]:
    return _value(build.upload.upload_id.apply(bool)) if build else False


def _facts(deployment: Deployment, build: Build, release: Release) -> pulumi.Output[dict[str, str]]:
    installations = build.installations
    return pulumi.Output.all(
        version=release.version,
        build=release.build,
        image=deployment.backend.image,
        instance=deployment.backend.rollout.instance_id,
        testers=installations.devices.apply(lambda devices: ", ".join(sorted(devices))),
        backendVerifiedAt=deployment.backend.rollout.verified_at,
        buildUploadedAt=build.processed.uploaded_at.apply(lambda time: time or ""),
        testersCheckedAt=installations.seen_at,
    )
