"""The report as one self-contained HTML page: no script, and no font or picture from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from report import launch as heads
from report.launch import Launch
from report.timeline import Span

TICKS = 5
MIDDLE = 50
"""Percent. The duration is to the right of a bar that ends before it, to the left of one that starts after it, else on the bar."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A span drawn to scale; positions are percent of the whole width."""

    span: Span
    left: float
    width: float
    changed: float | None
    took: str
    side: str
    """Position of the label with the duration, as CSS."""
    inside: bool
    """Whether the label is on the bar."""


def render(launch: Launch) -> str:
    """The whole report as one HTML document."""
    return _templates.get_template("launch.html.jinja").render(
        launch=launch,
        heads=heads,
        bars=_bars(launch.spans),
        ticks=_ticks(launch.spans),
    )


def _limits(spans: Sequence[Span]) -> tuple[datetime, float]:
    """The start of the timeline, and its length in seconds."""
    first = min(span.start for span in spans)
    last = max(span.changed or span.end for span in spans)
    return first, max((last - first).total_seconds(), 0.001)


def _bars(spans: Sequence[Span]) -> list[Bar]:
    if not spans:
        return []
    first, whole = _limits(spans)

    def place(time: datetime) -> float:
        return 100 * (time - first).total_seconds() / whole

    def bar(span: Span) -> Bar:
        start, end = place(span.start), place(span.end)
        side = f"left:calc({end:.2f}% + .4rem)"
        if end > MIDDLE:
            side = f"right:calc({100 - start:.2f}% + .4rem)" if start > MIDDLE else f"left:calc({start:.2f}% + .4rem)"
        return Bar(
            span=span,
            left=start,
            width=end - start,
            changed=place(span.changed) if span.changed else None,
            took=duration(span.seconds),
            side=side,
            inside=start <= MIDDLE < end,
        )

    return [bar(span) for span in spans]


def _ticks(spans: Sequence[Span]) -> list[str]:
    """Labels of the axis, from zero to the whole duration."""
    if not spans:
        return []
    _, whole = _limits(spans)
    return [duration(whole * tick / (TICKS - 1)) for tick in range(TICKS)]


def duration(seconds: float) -> str:
    """`4.2 s`, `12 min`, with a space that does not break."""
    if seconds < 120:
        return f"{seconds:.1f}\u00a0s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}\u00a0min"
    return f"{seconds / 3600:.0f}\u00a0h" if seconds < 172_800 else f"{seconds / 86_400:.0f}\u00a0d"
