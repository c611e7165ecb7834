"""The report as Markdown: for a pull request, a chat, a terminal."""

from collections.abc import Iterable, Mapping, Sequence

from checklist.row import Finding, State
from report.launch import FEEDBACK_HEAD, TESTER_HEAD, Launch, Tone
from report.timeline import Span

MARKS: Mapping[State, str] = {
    State.OK: "✅",
    State.WAITING: "⏳",
    State.MISSING: "⬜",
    State.FAILED: "❌",
    State.WAIVED: "✋",
}


TONES: Mapping[Tone, str] = {Tone.GOOD: "✅", Tone.ATTENTION: "🟠", Tone.BAD: "❌"}


def render(launch: Launch) -> str:
    """The whole report as one Markdown document."""
    verdict = launch.verdict
    parts = [
        f"# {'Rehearsal: ' if launch.simulated else ''}{launch.title}",
        f"{TONES[verdict.tone]} **{verdict.headline}**: {verdict.detail}. {launch.summary}.",
        f"Stack `{launch.stack}`, as of {launch.time}.",
        *([f"Interrupted while {', '.join(launch.pending)}. Run `pulumi refresh`."] if launch.pending else []),
        "\n".join(f"- {fact.name}: **{fact.value}** ({fact.note})" for fact in launch.facts),
        *_attention(launch),
        "## Checklist",
        _table(["", "Row", "Evidence"], map(_row, launch.findings)),
    ]
    waivers = [(waiver.reason, waiver.by, waiver.until, "; ".join(waiver.rows)) for waiver in launch.waivers]
    versions = [(name, f"`{value}`") for name, value in launch.versions]
    timeline = [_span(group.name, span) for group in launch.timeline for span in group.spans]
    for heading, head, rows in (
        ("Waived", ("Reason", "By", "Until", "Rows"), waivers),
        ("Timeline", ("Resource", "Started", "Took", ""), timeline),
        ("Testers", TESTER_HEAD, launch.testers),
        ("Feedback from testers", FEEDBACK_HEAD, launch.feedback),
        ("Versions", ("What", "Value"), versions),
    ):
        parts += [f"## {heading}", _table(head, rows)] if rows else []
    return "\n\n".join(filter(None, parts)) + "\n"


def _attention(launch: Launch) -> Sequence[str]:
    lines = [
        f"- {MARKS[group.state]} **{group.heading}**: {'; '.join(finding.row.title for finding in group.named)}{group.more}"
        for group in launch.attention
    ]
    return ["## Not proven", "\n".join(lines)] if lines else []


def _row(finding: Finding) -> Sequence[str]:
    title = f"[{finding.row.title}]({finding.link})" if finding.link else finding.row.title
    text = finding.text if finding.holds else finding.problem
    text += f"; waived until {finding.until}" if finding.until else ""
    return MARKS[finding.state], f"{finding.row.phase}: {title}", text


def _span(component: str, span: Span) -> Sequence[str]:
    notes = [
        f"waits for {span.waits_for}" if span.waits_for else "",
        "critical path" if span.critical else "",
        f"changed {span.changed:%Y-%m-%d %H:%M:%S}" if span.changed else "",
    ]
    return (
        f"{component}: {span.name}",
        f"{span.start:%H:%M:%S}",
        f"{span.seconds:.1f} s",
        ", ".join(filter(None, notes)),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
