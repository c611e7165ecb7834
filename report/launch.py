"""The content of a report, gathered once from a stack's state. HTML and Markdown only lay it out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from msgspec.structs import replace

from checklist.backend import BACKEND, running_image
from checklist.known import Known, Unreadable
from checklist.row import Finding, Open, Phase, State
from checklist.rows import examine, verdict
from report.state import Resource, StackState
from report.timeline import Group, grouped, spans

FLY, APPLE, BETTER_STACK = "Fly.io", "App Store Connect", "Better Stack"
TESTER_HEAD = ("Name", "E-mail", "Installed", "Device")
FEEDBACK_HEAD = ("When", "Who", "What", "Device", "Comment")
ATTENTION: Mapping[State, str] = {
    State.FAILED: "Failed",
    State.MISSING: "Open",
    State.WAITING: "Waiting for {waits_for}",
    State.WAIVED: "Waived until {until}",
}
"""The headings of what is not proven, in their order."""
MAX_NAMED = 6
TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")


class Tone(StrEnum):
    """How the verdict reads at a glance."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the report says in one line, `headline`, with the `detail` of who declared it and the `counts` of rows."""

    tone: Tone
    headline: str
    detail: str
    counts: Mapping[State, int]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One of the few values that a reader looks for first, with a link where there is a page for it."""

    name: str
    value: str
    note: str = ""
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Rows that need the same thing: `heading` says what is wrong, or who has to act."""

    state: State
    heading: str
    findings: Sequence[Finding]

    @property
    def named(self) -> Sequence[Finding]:
        """The findings to name: before a launch, when most rows are open, only the first, as the checklist follows."""
        return self.findings if len(self.findings) <= MAX_NAMED else self.findings[: MAX_NAMED - 1]

    @property
    def more(self) -> str:
        """How many are not named: `; and 12 more`; empty if all are."""
        return f"; and {left} more" if (left := len(self.findings) - len(self.named)) else ""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One reason to do without some rows."""

    reason: str
    by: str
    until: str
    """The date on which it ends; empty if it does not end."""
    rows: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """The whole content of a report."""

    product: str
    release: str
    """`1.0.0 (v0)`; empty before a build exists."""
    stack: str
    simulated: Sequence[str]
    """The vendors that test doubles stand in for; empty for a real launch."""
    as_of: datetime | None
    """The time of the last change in the state."""
    verdict: Verdict
    facts: Sequence[Fact]
    findings: Sequence[Finding]
    waivers: Sequence[Waiver]
    timeline: Sequence[Group]
    versions: Sequence[tuple[str, str]]
    testers: Sequence[Sequence[str]]
    """Rows below TESTER_HEAD."""
    feedback: Sequence[Sequence[str]]
    """What testers sent: rows below FEEDBACK_HEAD."""
    pending: Sequence[str]
    """Operations that were interrupted."""

    @property
    def title(self) -> str:
        return " ".join(filter(None, [self.product, self.release, "launch"]))

    @property
    def summary(self) -> str:
        """How many rows are proven, failed, open and waived."""
        return verdict(self.findings)

    @property
    def attention(self) -> Sequence[Attention]:
        """What is not proven: failures, then what the launch team has to do, then those that others have to act on, then waivers
        that end."""
        groups: dict[tuple[State, str], list[Finding]] = {}
        for finding in self.findings:
            if not finding.holds or finding.until:
                groups.setdefault(_heading(finding), []).append(finding)
        order = list(ATTENTION)
        found = sorted(groups.items(), key=lambda group: (order.index(group[0][0]), group[1][0].until))
        return [Attention(state=state, heading=heading, findings=rows) for (state, heading), rows in found]

    @property
    def phases(self) -> Sequence[tuple[Phase, Sequence[Finding]]]:
        """The findings by phase."""
        return [(phase, list(found)) for phase, found in groupby(self.findings, key=lambda finding: finding.row.phase)]

    @property
    def time(self) -> str:
        return f"{self.as_of:%Y-%m-%d %H:%M:%S} UTC" if self.as_of else "an unknown time"


def gather(stack: StackState, now: datetime) -> Launch:
    """Everything that a report shows of `stack`; certificates are judged as of `now`."""
    times = [time for resource in stack.resources for time in (resource.created, resource.modified) if time]
    known = stack.known(now)
    found = examine(known, stack.inputs.get("waivers") or {})
    findings = [replace(finding, text=readable(finding.text), link=_real(finding.link, stack)) for finding in found]
    app = stack.find("appstore:App")
    return Launch(
        product=str(app.outputs.get("name")) if app else stack.project,
        release=_release(stack),
        stack=f"{stack.project}/{stack.name}",
        simulated=_simulated(stack),
        as_of=max(times, default=None),
        verdict=_verdict(stack, findings),
        facts=_facts(stack, known),
        findings=findings,
        waivers=_waivers(findings),
        timeline=grouped(spans(stack)),
        versions=_versions(stack, known),
        testers=_testers(stack),
        feedback=_feedback(stack),
        pending=stack.pending,
    )


def readable(text: str) -> str:
    """The text with its RFC 3339 times as `2026-11-27 04:00:59 UTC`."""
    return TIME.sub(r"\1 \2 UTC", text)


def _simulated(stack: StackState) -> Sequence[str]:
    """The vendors whose endpoints the stack replaces, as the stack says."""
    others = {"appstore": APPLE, "betterStack": BETTER_STACK}
    return sorted({others.get(endpoint, FLY) for endpoint in stack.inputs.get("simulated") or ()})


def _real(link: str | None, stack: StackState) -> str | None:
    """The link, unless a test double stands in for the vendor: nothing is there."""
    vendor = APPLE if link and ".apple.com/" in link else FLY
    return None if vendor in _simulated(stack) else link


def _release(stack: StackState) -> str:
    build = stack.find("appstore:BuildUpload")
    label = stack.inputs.get("label")
    version = str(build.outputs["short_version"]) if build else ""
    return " ".join(filter(None, [version, f"({label})" if label else ""]))


def _verdict(stack: StackState, findings: Sequence[Finding]) -> Verdict:
    counts = {state: sum(finding.state is state for finding in findings) for state in State}
    failed = counts[State.FAILED]
    open_ = sum(not finding.holds for finding in findings) - failed
    later = sum(bool(finding.until) for finding in findings)
    parts = [(failed, "failed"), (open_, "open"), (later, "to prove later")]
    left = ", ".join(f"{count} {what}" for count, what in parts if count)
    record = next((found for found in stack.all("checks:LaunchRecord") if found.id == stack.inputs.get("label")), None)
    about = record.outputs if record else {}
    by = readable(f"declared by {about.get('declared_by')}, {about.get('declared_at')}")
    declared = next(finding for finding in findings if finding.row.key == "launched")
    tone, headline, detail = Tone.ATTENTION, "Not launched", "nobody has declared it"
    if about.get("withdrawn"):
        tone, headline, detail = Tone.BAD, "Withdrawn", f"{about['withdrawn']}; {by}"
    elif record and declared.state is State.MISSING:
        detail = declared.text  # Another build is in the state.
    elif record:
        headline, detail = ", ".join(filter(None, ["Launched", left])), by
        tone = Tone.ATTENTION if left else Tone.GOOD
    tone = Tone.BAD if failed else tone
    return Verdict(tone=tone, headline=headline, detail=detail, counts=counts)


def _facts(stack: StackState, known: Known) -> list[Fact]:
    found = []
    if url := stack.outputs.get("url"):
        probes = [latency for rollout in stack.all("checks:Rollout") for latency in _latencies(rollout)]
        note = f"healthy, slowest of {len(probes)} checks {max(probes):.0f} ms" if probes else "not verified"
        found.append(Fact(name="Backend", value=url.removeprefix("https://"), note=note, link=_real(url, stack)))
    if build := stack.find("appstore:BuildUpload"):
        name = f"{build.outputs['short_version']} ({build.outputs['version']})"
        processed = stack.find("appstore:ProcessedBuild")
        found.append(Fact(name="Build", value=name, note="processed by Apple" if processed else "not processed yet"))
    if testers := _testers(stack):
        installed = sum(bool(device) for *_, device in testers)
        found.append(Fact(name="Testers", value=f"{installed} of {len(testers)}", note="have installed the build"))
    signed = known.sign_offs
    if signed.needed:
        found.append(Fact(name="Smoke test", value=f"{signed.signed_off} of {signed.needed}", note="signed off"))
    return found


def _heading(finding: Finding) -> tuple[State, str]:
    """What a finding is listed under: its state, or who has to act."""
    heading = ATTENTION[finding.state]
    return finding.state, heading.format(waits_for=finding.waits_for, until=finding.until)


def _latencies(rollout: Resource) -> Sequence[float]:
    latencies: Sequence[float] = rollout.outputs.get("latencies_ms") or ()
    return latencies


def _waivers(findings: Sequence[Finding]) -> list[Waiver]:
    rows: dict[tuple[str, str, str], list[str]] = {}
    for finding in findings:
        if finding.state is State.WAIVED:
            rows.setdefault((finding.reason, finding.by, finding.until), []).append(finding.row.title)
    return [Waiver(reason=reason, by=by, until=until, rows=titles) for (reason, by, until), titles in rows.items()]


def _versions(stack: StackState, known: Known) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    try:
        image = running_image(known)
        found += [("Image", image.reference), ("Image digest", image.digest)]
    except (Open, Unreadable):
        pass  # The row `image` says why.
    for kind, name, key in (
        ("fly:Machine", "Machine version", "instance_id"),
        ("fly:Secrets", "Secrets version", "version"),
        ("appstore:BuildUpload", "IPA sha256", "sha256"),
        ("appstore:ProcessedBuild", "Apple's build ID", "build_id"),
    ):
        resource = stack.find(kind, within=BACKEND if kind.startswith("fly:") else "")
        if resource and resource.outputs.get(key) is not None:
            found.append((name, str(resource.outputs[key])))
    return found


def _testers(stack: StackState) -> list[list[str]]:
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
            ", ".join(device.removesuffix(f": {installed}") for device in devices.get(tester["email"], [])),
        ]
        for group in stack.all("appstore:BetaTesters")
        for tester in group.outputs.get("testers") or []
    ]


def _feedback(stack: StackState) -> list[list[str]]:
    return [
        [readable(str(report.get(key) or "")) for key in ("at", "by", "kind", "device", "comment")]
        for evidence in stack.all("appstore:Installations")
        for report in evidence.outputs.get("reports") or []
    ]
