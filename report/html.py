"""The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from pathlib import Path

from report.launch import ALERT_HEAD, Launch, Probe
from report.timeline import Span

TICKS = 5
FEW = 3
MIDDLE = 50
"""Percent: what a span took stands to its right as long as it ends before, else to its left or, where it is long, on it."""
STYLE = Path(__file__).with_name("style.css")


def render(launch: Launch) -> str:
    """The whole report as one HTML document."""
    return "\n".join(_page(launch))


def _page(launch: Launch) -> Iterator[str]:
    title = escape(launch.title)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>"
    yield f"<style>\n{STYLE.read_text()}</style></head><body>"
    yield f"<h1>{title}</h1>"
    as_of = f"as of {launch.as_of:%Y-%m-%d %H:%M:%S} UTC" if launch.as_of else "no time known"
    yield f'<p class="soft">Stack <code>{escape(launch.stack)}</code>, {as_of}</p>'
    kind = "ok" if launch.is_launched else "open"
    yield f'<div class="verdict {kind}"><p class="status">{escape(launch.status[0].upper() + launch.status[1:])}</p>'
    yield f"<p>{escape(launch.verdict)}</p></div>"
    for operation in launch.unfinished:
        yield f'<p class="warning">Interrupted: <code>{escape(operation)}</code></p>'
    yield from _checklist(launch)
    if launch.spans:
        yield from _timeline(launch.spans)
    if launch.probes:
        yield "<h2>Health probes</h2>"
        for probe in launch.probes:
            yield from _latencies(probe)
    if launch.alerts:
        yield "<h2>Alerts proven</h2>"
        yield from _table(ALERT_HEAD, ([escape(cell) for cell in alert] for alert in launch.alerts))
    if launch.waived:
        yield "<h2>Waived</h2>"
        yield from _table(["Row", "Why"], ([escape(f.row.title), escape(f.evidence)] for f in launch.waived))
    if launch.versions:
        yield "<h2>Versions</h2>"
        yield from _table([], ([escape(name), f"<code>{escape(value)}</code>"] for name, value in launch.versions))
    if launch.testers:
        yield "<h2>Testers</h2>"
        head = ["Name", "E-mail", "Installed", "Device"]
        yield from _table(head, ([escape(cell) for cell in tester] for tester in launch.testers))
    if launch.feedback:
        yield "<h2>What testers sent</h2>"
        head = ["When", "Who", "What", "Device", "Comment"]
        yield from _table(head, ([escape(cell) for cell in report] for report in launch.feedback))
    yield "</body></html>\n"


def _checklist(launch: Launch) -> Iterator[str]:
    yield "<h2>Checklist</h2>"
    for group, findings in groupby(launch.findings, key=lambda finding: finding.row.group):
        yield f'<h3>{escape(group)}</h3><ul class="rows">'
        for finding in findings:
            yield (
                f'<li><span class="state {finding.state.replace(" ", "-")}">{finding.state}</span>'
                f"<span>{_linked(escape(finding.row.title), finding.link)}</span>"
                f'<span class="evidence">{escape(finding.evidence)}</span></li>'
            )
        yield "</ul>"


def _linked(text: str, link: str | None) -> str:
    return f'<a href="{escape(link)}">{text}</a>' if link else text


def _timeline(spans: Sequence[Span]) -> Iterator[str]:
    first = min(span.start for span in spans)
    last = max(span.changed or span.end for span in spans)
    whole = max((last - first).total_seconds(), 0.001)

    def place(time: datetime) -> float:
        return 100 * (time - first).total_seconds() / whole

    yield f"<h2>Timeline: {_spoken(whole)}</h2>"
    yield (
        '<p class="key"><span class="bar"></span> work on the decisive chain · <span class="bar quick"></span> beside it · '
        '<span class="bar wait"></span> waits for somebody else · <span class="changed"></span> changed later</p>'
    )
    for span in spans:
        start, end = place(span.start), place(span.end)
        kind = ("wait " if span.waits_for else "") + ("" if span.decisive else "quick")
        side = f"left:calc({end:.2f}% + .4rem)"
        if end > MIDDLE:
            side = f"right:calc({100 - start:.2f}% + .4rem)" if start > MIDDLE else f"left:calc({start:.2f}% + .4rem)"
        inside = " inside" if start <= MIDDLE < end else ""
        diamond = f'<i class="changed" style="left:{place(span.changed):.2f}%"></i>' if span.changed else ""
        name, of = escape(span.resource.name), escape(span.resource.kind)
        yield (
            f'<div class="span"><span class="name">{name} <span class="soft">{of}</span></span><span class="track">'
            f'<i class="bar {kind}" style="left:{start:.2f}%;width:{end - start:.2f}%"></i>'
            f'<i class="took{inside}" style="{side}">{_spoken(span.seconds)}</i>{diamond}</span></div>'
        )
    marks = (f'<span style="left:{25 * tick}%">{_spoken(whole * tick / (TICKS - 1))}</span>' for tick in range(TICKS))
    yield f'<div class="span"><span class="axis-label"></span><span class="axis">{"".join(marks)}</span></div>'
    waits = [(span.resource.name, _spoken(span.seconds), span.waits_for) for span in spans if span.waits_for]
    if waits:
        yield "<h3>What was waited for</h3>"
        yield from _table(
            [], ([escape(what or ""), took, f'<span class="soft">{escape(name)}</span>'] for name, took, what in waits)
        )


def _latencies(probe: Probe) -> Iterator[str]:
    most = max(*probe.latencies_ms, 1.0)
    yield f"<p><code>{escape(probe.address)}</code></p>"
    yield f'<p class="soft">verified {escape(probe.verified_at)}, latencies in milliseconds</p><div class="probes">'
    for latency in probe.latencies_ms:
        yield f'<div style="height:{85 * latency / most:.1f}%"><span>{latency:.0f}</span></div>'
    yield "</div>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; one with many columns becomes a list on a narrow screen, where each cell says of which column it is."""
    yield '<table class="many">' if len(head) > FEW else "<table>"
    if head:
        yield "<thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr></thead>"
    for row in rows:
        columns = head or [""] * len(row)
        yield (
            "<tr>"
            + "".join(f'<td data-of="{escape(of)}">{cell}</td>' for of, cell in zip(columns, row, strict=True))
            + "</tr>"
        )
    yield "</table>"


def _spoken(seconds: float) -> str:
    """With a space that does not break."""
    if seconds < 120:
        return f"{seconds:.1f}\u00a0s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}\u00a0min"
    return f"{seconds / 3600:.0f}\u00a0h" if seconds < 172_800 else f"{seconds / 86_400:.0f}\u00a0d"
