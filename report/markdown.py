"""The report as Markdown: for a pull request, a chat, a terminal."""

from collections.abc import Iterable, Sequence

from report.launch import ALERT_HEAD, Launch

MARKS = {"ok": "✅", "missing": "⬜", "failed": "❌", "not yet": "…", "waived": "✋"}


def render(launch: Launch) -> str:
    """The whole report as one Markdown document."""
    as_of = f"{launch.as_of:%Y-%m-%d %H:%M:%S} UTC" if launch.as_of else "no time known"
    parts = [
        f"# {launch.title}",
        f"**{launch.status[0].upper()}{launch.status[1:]}.** {launch.verdict}. Stack `{launch.stack}`, as of {as_of}.",
        *([f"Interrupted: {', '.join(launch.unfinished)}."] if launch.unfinished else []),
        "## Checklist",
        _table(
            ["", "Row", "State", "Evidence"],
            [
                [
                    MARKS[f.state],
                    f"{f.row.group}: " + (f"[{f.row.title}]({f.link})" if f.link else f.row.title),
                    f.state,
                    f.evidence,
                ]
                for f in launch.findings
            ],
        ),
        "## Timeline",
        _table(
            ["Resource", "Started", "Took", ""],
            [
                [
                    f"{span.resource.kind} {span.resource.name}",
                    f"{span.start:%H:%M:%S}",
                    f"{span.seconds:.1f} s",
                    ", ".join(
                        [
                            *([f"waits for {span.waits_for}"] if span.waits_for else []),
                            *(["decisive"] if span.decisive else []),
                            *([f"changed {span.changed:%Y-%m-%d %H:%M:%S}"] if span.changed else []),
                        ]
                    ),
                ]
                for span in launch.spans
            ],
        ),
    ]
    for probe in launch.probes:
        latencies = ", ".join(f"{latency:.0f}" for latency in probe.latencies_ms)
        parts += ["## Health probes", f"{probe.address}, verified {probe.verified_at}: {latencies} ms."]
    if launch.alerts:
        parts += ["## Alerts proven", _table(ALERT_HEAD, launch.alerts)]
    if launch.waived:
        parts += ["## Waived", _table(["Row", "Why"], [[f.row.title, f.evidence] for f in launch.waived])]
    if launch.versions:
        parts += ["## Versions", _table(["What", "Value"], [[name, f"`{value}`"] for name, value in launch.versions])]
    if launch.testers:
        parts += ["## Testers", _table(["Name", "E-mail", "Installed", "Device"], launch.testers)]
    if launch.feedback:
        parts += ["## What testers sent", _table(["When", "Who", "What", "Device", "Comment"], launch.feedback)]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
