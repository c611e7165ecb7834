"""The report as Markdown: for a pull request, a chat, a terminal."""

from collections.abc import Iterable, Mapping, Sequence

from checklist.row import Finding, State
from report.launch import ALERT_HEAD, FEEDBACK_HEAD, TESTER_HEAD, WAIVED_HEAD, Launch
from report.timeline import Span

MARKS: Mapping[State, str] = {State.OK: "✅", State.MISSING: "⬜", State.FAILED: "❌", State.WAIVED: "✋"}


def render(launch: Launch) -> str:
    """The whole report as one Markdown document."""
    parts = [
        f"# {launch.title}",
        f"**{launch.status}.** {launch.verdict}. Stack `{launch.stack}`, {launch.time}.",
        *([f"Interrupted: {', '.join(launch.pending)}."] if launch.pending else []),
        "## Checklist",
        _table(["", "Row", "State", "Evidence"], map(_row, launch.findings)),
        "## Timeline",
        _table(["Resource", "Started", "Took", ""], map(_span, launch.spans)),
    ]
    for probe in launch.probes:
        latencies = ", ".join(f"{latency:.0f}" for latency in probe.latencies_ms)
        parts += ["## Health probes", f"{probe.address}, verified {probe.verified_at}: {latencies} ms."]
    versions = [[name, f"`{value}`"] for name, value in launch.versions]
    for heading, head, rows in (
        ("Alert drills", ALERT_HEAD, launch.alerts),
        ("Waived", WAIVED_HEAD, launch.waived),
        ("Versions", ("What", "Value"), versions),
        ("Testers", TESTER_HEAD, launch.testers),
        ("Feedback from testers", FEEDBACK_HEAD, launch.feedback),
    ):
        parts += [f"## {heading}", _table(head, rows)] if rows else []
    return "\n\n".join(parts) + "\n"


def _row(finding: Finding) -> Sequence[str]:
    title = f"[{finding.row.title}]({finding.link})" if finding.link else finding.row.title
    return MARKS[finding.state], f"{finding.row.phase}: {title}", finding.state, finding.summary


def _span(span: Span) -> Sequence[str]:
    notes = [
        f"waits for {span.waits_for}" if span.waits_for else "",
        "critical path" if span.critical else "",
        f"changed {span.changed:%Y-%m-%d %H:%M:%S}" if span.changed else "",
    ]
    resource = f"{span.resource.kind} {span.resource.name}"
    return resource, f"{span.start:%H:%M:%S}", f"{span.seconds:.1f} s", ", ".join(filter(None, notes))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
