"""The launch: the checklist as its gate, and the record of its declaration."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeVar, cast

import pulumi
from msgspec.structs import asdict

from checklist.known import SignOffs
from checklist.row import Finding, State
from checklist.rows import examine
from components.base import Component
from components.deployment import Build, Deployment
from components.launch.known import known
from components.launch.settings import LaunchSettings
from components.release import Release
from providers.checks.launch_record import LaunchRecord, LaunchRecordArgs, Requirement
from providers.checks.release import Release as CheckedRelease
from providers.checks.release import ReleaseArgs

T = TypeVar("T")


class Launch(Component):
    """`status` is the stack output `launch`: whether the release is launched, and which rows have failed, are open or waived. The record
    exists once somebody declares the launch."""

    status: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: LaunchSettings,
        release: Release,
        *,
        deployment: Deployment,
        monitoring: Component | None,
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
                label=release.label, declared_by=settings.declared_by, has_build=_is_accepted(deployment.build)
            ),
            self.child_opts(),
        )
        for label, withdrawn in settings.earlier.items():
            LaunchRecord(
                f"{name}-{label}", LaunchRecordArgs(label=label, withdrawn=withdrawn or None), self.child_opts()
            )
        state: pulumi.Input[str] = "not declared"
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
                    machine_id=_value(backend.machine.machine_id),
                    verified_at=_value(backend.rollout.verified_at),
                    requirements=_value(findings.apply(_requirements)),
                    waivers=dict(settings.waivers),
                    facts=_value(_facts(deployment, deployment.build, release)),
                    withdrawn=settings.withdrawn or None,
                ),
                self.child_opts(),
            )
            state = _state(record, release)
        self.status = pulumi.Output.format("{0} is {1}; {2}", release.label, state, findings.apply(_counts))
        self.register_outputs({"status": self.status})


def _value(output: pulumi.Output[T]) -> pulumi.Output[T]:
    """The output without the resources that it comes from: the record outlives them, also in the state, where
    `pulumi state delete --target-dependents` and a destroy of targets take dependents along."""
    value = cast("Awaitable[T]", output.future(with_unknowns=True))
    return pulumi.Output(set(), value, output.is_known(), output.is_secret())


def _state(record: LaunchRecord, release: Release) -> pulumi.Output[str]:
    """Launched, if the declared build is this one."""

    def state(known: Mapping[str, Any]) -> str:
        declared = f"{known['facts']['version']} ({known['facts']['build']})"
        if known["withdrawn"]:
            return f"withdrawn since {known['withdrawn_at']}: {known['withdrawn']}"
        if declared != release.build_name:
            return f"not declared with {release.build_name}, it was declared with {declared}"
        return f"launched, declared by {known['by']} at {known['at']}"

    return pulumi.Output.all(
        facts=record.facts,
        by=record.declared_by,
        at=record.declared_at,
        withdrawn=record.withdrawn,
        withdrawn_at=record.withdrawn_at,
    ).apply(state)


def _counts(findings: Sequence[Finding]) -> str:
    """How many of the rows are proven, and the names of the others, without the row of the declaration: the text begins with that."""
    rows = [finding for finding in findings if finding.row.blocks]
    parts = [f"{sum(finding.state is State.OK for finding in rows)} of {len(rows)} other rows proven"]
    for what, states in (
        ("failed", (State.FAILED,)),
        ("open", (State.MISSING, State.WAITING)),
        ("waived", (State.WAIVED,)),
    ):
        found = [finding.row.key for finding in rows if finding.state in states]
        parts += [f"{what}: {', '.join(found)}"] if found else []
    return "; ".join(parts)


def _requirements(findings: Sequence[Finding]) -> list[Requirement]:
    """The rows that block a launch, in the form that the record stores."""
    return [
        Requirement(key=finding.row.key, open=finding.problem, evidence="" if finding.problem else finding.text)
        for finding in findings
        if finding.row.blocks
    ]


def _is_accepted(build: Build | None) -> pulumi.Input[bool]:
    """Whether Apple has accepted a build: one that it rejected can be left out."""
    return build.processed.build_id.apply(bool) if build else False


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
