"""What a report tells, gathered from a stack's state once; the HTML page and the Markdown twin only lay it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from report.checklist import BACKEND, Finding, examine, readable
from report.state import Stack
from report.timeline import Span, spans

ALERT_HEAD = ("Alert", "Fired", "Taken by", "After", "Resolved")


@dataclass(frozen=True)
class Probe:
    """The health probes of one rollout: their latencies in milliseconds, in the order in which they were made."""

    address: str
    verified_at: str
    latencies_ms: Sequence[float]


@dataclass(frozen=True)
class Launch:
    """The whole content of a report."""

    title: str
    stack: str
    as_of: datetime | None
    """The time of the last change in the state; a report has no other date, so the same state gives the same report."""
    findings: Sequence[Finding]
    spans: Sequence[Span]
    probes: Sequence[Probe]
    versions: Sequence[tuple[str, str]]
    testers: Sequence[Sequence[str]]
    """Rows of name, e-mail, installed build, device."""
    feedback: Sequence[Sequence[str]]
    """What testers have sent: rows of time, e-mail, kind, device, comment."""
    alerts: Sequence[Sequence[str]]
    """Rows below ALERT_HEAD."""
    unfinished: Sequence[str]
    status: str
    """launched, withdrawn or not declared, and by whom."""

    @property
    def is_launched(self) -> bool:
        return self.status.startswith("launched")

    @property
    def waived(self) -> Sequence[Finding]:
        return [finding for finding in self.findings if finding.state == "waived"]

    @property
    def verdict(self) -> str:
        open_ = sum(not finding.holds for finding in self.findings)
        proven = sum(finding.state == "ok" for finding in self.findings)
        later = sum(finding.state == "not yet" for finding in self.findings)
        waived = sum(finding.state == "waived" for finding in self.findings)
        parts = [f"{proven} of {len(self.findings)} rows proven"]
        parts += [f"{open_} open"] if open_ else []
        parts += [f"{waived} waived"] if waived else []
        parts += [f"{later} not yet built"] if later else []
        return ", ".join(parts)


def gather(stack: Stack) -> Launch:
    """Everything a report tells about `stack`."""
    times = [time for resource in stack.resources for time in (resource.created, resource.modified) if time]
    build = stack.find("appstore:Build")
    version = str(build.outputs["short_version"]) if build else ""
    label = (stack.outputs.get("launch") or {}).get("label")
    return Launch(
        title=" ".join(filter(None, ["SolOS", version, f"({label})" if label else "", "launch"])),
        stack=f"{stack.project}/{stack.name}",
        as_of=max(times, default=None),
        findings=examine(stack),
        spans=spans(stack),
        probes=_probes(stack),
        versions=_versions(stack),
        testers=_testers(stack),
        feedback=_feedback(stack),
        alerts=_alerts(stack),
        unfinished=stack.unfinished,
        status=_status(stack),
    )


def _status(stack: Stack) -> str:
    launch = stack.outputs.get("launch") or {}
    state = str(launch.get("state", "not declared"))
    if "declaredAt" in launch:
        state += readable(f", declared by {launch['declaredBy']} at {launch['declaredAt']}")
    return f"{state}: {launch['withdrawn']}" if launch.get("withdrawn") else state


def _alerts(stack: Stack) -> list[list[str]]:
    return [
        [
            f"drill for {drill.outputs['watched']}",
            readable(drill.outputs["fired_at"]),
            str(drill.outputs["receiver"]),
            f"{drill.outputs['delivered_seconds']} s",
            readable(drill.outputs["resolved_at"]),
        ]
        for drill in stack.all("checks:AlertDrill")
        if not drill.errors
    ]


def _probes(stack: Stack) -> list[Probe]:
    return [
        Probe(
            f"https://{rollout.outputs.get('hostname')}{rollout.outputs.get('path')}",
            readable(str(rollout.outputs.get("verified_at", ""))),
            rollout.outputs["latencies_ms"],
        )
        for rollout in stack.all("checks:Rollout")
        if rollout.outputs.get("latencies_ms")
    ]


def _versions(stack: Stack) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    backend = stack.part(BACKEND)
    image = backend.find("fly:Image", "image")
    if image:
        found += [("Image", image.outputs["reference"]), ("Image digest", image.outputs["digest"])]
    for kind, name, key in (
        ("fly:Machine", "Machine version", "instance_id"),
        ("fly:Secrets", "Secrets version", "version"),
        ("appstore:Build", "Short version", "short_version"),
        ("appstore:Build", "Build", "version"),
        ("appstore:Build", "IPA sha256", "sha256"),
        ("appstore:ProcessedBuild", "Apple's build ID", "build_id"),
    ):
        resource = (backend if kind.startswith("fly:") else stack).find(kind)
        if resource and resource.outputs.get(key) is not None:
            found.append((name, str(resource.outputs[key])))
    return found


def _testers(stack: Stack) -> list[list[str]]:
    evidence = stack.find("appstore:Installations")
    seen = evidence.outputs if evidence else {}
    installed = f"{seen.get('short_version')} ({seen.get('version')})"
    devices: dict[str, list[str]] = seen.get("devices") or {}
    return [
        [
            f"{tester.get('first_name', '')} {tester.get('last_name', '')}".strip(),
            tester["email"],
            installed if tester["email"] in devices else "not yet",
            ", ".join(devices.get(tester["email"], [])),
        ]
        for group in stack.all("appstore:BetaTesters")
        for tester in group.outputs.get("testers") or []
    ]


def _feedback(stack: Stack) -> list[list[str]]:
    return [
        [str(report.get(key) or "") for key in ("at", "by", "kind", "device", "comment")]
        for evidence in stack.all("appstore:Installations")
        for report in evidence.outputs.get("reports") or []
    ]
