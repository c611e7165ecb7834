"""The content of a report, gathered once from a stack's state. HTML, Markdown and terminal only lay it out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from checklist.backend import BACKEND, running_image
from checklist.known import Known, Unreadable
from checklist.row import Finding, Open, Phase, State
from checklist.rows import examine, verdict
from report.state import Stack
from report.timeline import Span, spans

ALERT_HEAD = ("Alert", "Fired", "Received by", "After", "Resolved")
TESTER_HEAD = ("Name", "E-mail", "Installed", "Device")
FEEDBACK_HEAD = ("When", "Who", "What", "Device", "Comment")
WAIVED_HEAD = ("Row", "Reason", "By", "Not proven")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")


@dataclass(frozen=True)
class Probe:
    """The health probes of one rollout: their latencies in milliseconds, in order."""

    address: str
    verified_at: str
    latencies_ms: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """The whole content of a report."""

    title: str
    stack: str
    as_of: datetime | None
    """The time of the last change in the state."""
    status: str
    """Launched, withdrawn or not declared, and by whom."""
    findings: Sequence[Finding]
    spans: Sequence[Span]
    probes: Sequence[Probe]
    versions: Sequence[tuple[str, str]]
    testers: Sequence[Sequence[str]]
    """Rows below TESTER_HEAD."""
    feedback: Sequence[Sequence[str]]
    """What testers sent: rows below FEEDBACK_HEAD."""
    alerts: Sequence[Sequence[str]]
    """Rows below ALERT_HEAD."""
    pending: Sequence[str]
    """Operations that were interrupted."""

    @property
    def is_launched(self) -> bool:
        return self.status.startswith("Launched")

    @property
    def phases(self) -> Sequence[tuple[Phase, Sequence[Finding]]]:
        """The findings by phase."""
        return [(phase, list(found)) for phase, found in groupby(self.findings, key=lambda finding: finding.row.phase)]

    @property
    def waived(self) -> Sequence[Sequence[str]]:
        """Rows below WAIVED_HEAD."""
        return [(f.row.title, f.reason, f.by, f.text) for f in self.findings if f.state is State.WAIVED]

    @property
    def verdict(self) -> str:
        return verdict(self.findings)

    @property
    def time(self) -> str:
        return f"as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC" if self.as_of else "at an unknown time"


def gather(stack: Stack, now: datetime) -> Launch:
    """Everything that a report shows of `stack`; certificates are judged as of `now`."""
    times = [time for resource in stack.resources for time in (resource.created, resource.modified) if time]
    build = stack.find("appstore:Build")
    version = str(build.outputs["short_version"]) if build else ""
    label = (stack.outputs.get("launch") or {}).get("label")
    known = stack.known(now)
    findings = examine(known, stack.outputs.get("waivers") or {})
    return Launch(
        title=" ".join(filter(None, ["SolOS", version, f"({label})" if label else "", "launch"])),
        stack=f"{stack.project}/{stack.name}",
        as_of=max(times, default=None),
        status=_status(stack, findings),
        findings=[replace(finding, text=readable(finding.text)) for finding in findings],
        spans=spans(stack),
        probes=_probes(stack),
        versions=_versions(stack, known),
        testers=_testers(stack),
        feedback=_feedback(stack),
        alerts=_alerts(stack),
        pending=stack.pending,
    )


def readable(text: str) -> str:
    """The text with its RFC 3339 times as `2026-11-27 04:00:59 UTC`."""
    return TIME.sub(r"\1 \2 UTC", text)


def _status(stack: Stack, findings: Sequence[Finding]) -> str:
    launch = stack.outputs.get("launch") or {}
    declared = next(finding for finding in findings if finding.row.key == "launched")
    if (
        stack.find("checks:LaunchRecord") and declared.state is State.MISSING
    ):  # The outputs are of the last complete `up`.
        return f"Not launched: {declared.text}"
    status = str(launch.get("state", "not declared")).capitalize()
    if "declaredAt" in launch:
        status += readable(f", declared by {launch['declaredBy']} at {launch['declaredAt']}")
    return f"{status}: {launch['withdrawn']}" if launch.get("withdrawn") else status


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


def _versions(stack: Stack, known: Known) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    try:
        image = running_image(known)
        found += [("Image", image.reference), ("Image digest", image.digest)]
    except (Open, Unreadable):
        pass  # The row `image` says why.
    for kind, name, key in (
        ("fly:Machine", "Machine version", "instance_id"),
        ("fly:Secrets", "Secrets version", "version"),
        ("appstore:Build", "Short version", "short_version"),
        ("appstore:Build", "Build", "version"),
        ("appstore:Build", "IPA sha256", "sha256"),
        ("appstore:ProcessedBuild", "Apple's build ID", "build_id"),
    ):
        resource = stack.find(kind, within=BACKEND if kind.startswith("fly:") else "")
        if resource and resource.outputs.get(key) is not None:
            found.append((name, str(resource.outputs[key])))
    return found


def _testers(stack: Stack) -> list[list[str]]:
    evidence = stack.find("appstore:Installations")
    seen = evidence.outputs if evidence else {}
    processed = stack.find("appstore:ProcessedBuild")
    is_current = processed is not None and seen.get("build_id") == processed.outputs.get("build_id")
    installed = f"{seen.get('short_version')} ({seen.get('version')})"
    devices: dict[str, list[str]] = seen.get("devices") or {} if is_current else {}
    return [
        [
            " ".join(filter(None, [tester.get("first_name"), tester.get("last_name")])),
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
