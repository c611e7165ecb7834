"""The report as one self-contained HTML page: no script, and no font or picture from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from checklist.row import State
from report import launch as heads
from report.launch import Launch
from report.text import words
from report.timeline import SHORT, Group, Span

LABELS: Mapping[State, str] = {
    State.OK: "Proven",
    State.WAITING: "Waiting",
    State.MISSING: "Open",
    State.FAILED: "Failed",
    State.WAIVED: "Waived",
}
TICKS = 5

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


@dataclass(frozen=True, kw_only=True)
class Track:
    """A component's bars: those that are drawn, and `short` ones beside the critical path, which are only listed."""

    name: str
    left: float
    width: float
    took: str
    bars: Sequence[Bar]
    short: Sequence[Bar]


def render(launch: Launch) -> str:
    """The whole report as one HTML document."""
    tracks = _tracks(launch.timeline)
    return _templates.get_template("launch.html.jinja").render(
        launch=launch,
        heads=heads,
        labels=LABELS,
        words=words,
        tracks=tracks,
        ticks=_ticks(launch.timeline),
    )


def _limits(groups: Sequence[Group]) -> tuple[datetime, float]:
    """The start of the timeline, and its length in seconds."""
    first = min(group.start for group in groups)
    last = max(span.changed or span.end for group in groups for span in group.spans)
    return first, max((last - first).total_seconds(), 0.001)


def _tracks(groups: Sequence[Group]) -> list[Track]:
    if not groups:
        return []
    first, whole = _limits(groups)

    def place(time: datetime) -> float:
        return 100 * (time - first).total_seconds() / whole

    def bar(span: Span) -> Bar:
        return Bar(
            span=span,
            left=place(span.start),
            width=place(span.end) - place(span.start),
            changed=place(span.changed) if span.changed else None,
            took=duration(span.seconds),
        )

    def track(group: Group) -> Track:
        bars = [bar(span) for span in group.spans]
        drawn = [found for found in bars if found.span.critical or found.width >= 100 * SHORT]
        return Track(
            name=group.name,
            left=place(group.start),
            width=place(group.end) - place(group.start),
            took=duration((group.end - group.start).total_seconds()),
            bars=drawn,
            short=[found for found in bars if found not in drawn],
        )

    return [track(group) for group in groups]


def _ticks(groups: Sequence[Group]) -> list[str]:
    """Labels of the axis, from zero to the whole duration."""
    if not groups:
        return []
    _, whole = _limits(groups)
    return [duration(whole * tick / (TICKS - 1)) for tick in range(TICKS)]


def duration(seconds: float) -> str:
    """`4.2 s`, `12 min`, with a space that does not break."""
    if seconds < 120:
        return f"{seconds:.1f}\u00a0s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}\u00a0min"
    return f"{seconds / 3600:.0f}\u00a0h" if seconds < 172_800 else f"{seconds / 86_400:.0f}\u00a0d"
