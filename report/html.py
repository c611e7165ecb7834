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
from report.timeline import RECORD, SHORT, Group, Span

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
    goes_on: bool
    """Whether it ends beyond the axis."""
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
        has_changes=any(bar.changed is not None for track in tracks for bar in track.bars),
        ticks=_ticks(launch.timeline),
        whole=duration(_limits(launch.timeline)[1]) if tracks else "",
    )


def _limits(groups: Sequence[Group]) -> tuple[datetime, float, float]:
    """The start of the timeline, its length in seconds, and the length of its axis. Where people took longer than all else, the axis
    ends soon after all else, and what is beyond it is cut off: otherwise a day of waiting makes a dot of each bar."""
    first = min(group.start for group in groups)
    spans = [span for group in groups for span in group.spans]
    whole = max(((span.changed or span.end) - first).total_seconds() for span in spans)
    others = max(((span.end - first).total_seconds() for span in spans if span.resource.kind != RECORD), default=whole)
    return first, max(whole, 0.001), max(others * 1.25 if 0 < 2 * others < whole else whole, 0.001)


def _tracks(groups: Sequence[Group]) -> list[Track]:
    if not groups:
        return []
    first, _, axis = _limits(groups)

    def place(time: datetime) -> float:
        return min(100 * (time - first).total_seconds() / axis, 100)

    def bar(span: Span) -> Bar:
        return Bar(
            span=span,
            left=place(span.start),
            width=place(span.end) - place(span.start),
            goes_on=(span.end - first).total_seconds() > axis,
            changed=place(span.changed) if span.changed and (span.changed - first).total_seconds() <= axis else None,
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
    """Labels of the axis, from zero to its end."""
    if not groups:
        return []
    *_, axis = _limits(groups)
    return [_clock(axis * tick / (TICKS - 1), axis) for tick in range(TICKS)]


def _clock(seconds: float, axis: float) -> str:
    """A time on an axis of that many seconds, in one unit for all of them: `0.5 s`, `30 s`, `2:30 min`, `1:15 h`."""
    if axis < 120:
        return f"{seconds:.{0 if axis >= 10 else 1}f}\u00a0s"
    whole, unit = (round(seconds), "min") if axis < 7200 else (round(seconds / 60), "h")
    return f"{whole // 60}:{whole % 60:02}\u00a0{unit}"


def duration(seconds: float) -> str:
    """`4.2 s`, `12 min`, with a space that does not break."""
    if seconds < 120:
        return f"{seconds:.1f}\u00a0s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}\u00a0min"
    return f"{seconds / 3600:.0f}\u00a0h" if seconds < 172_800 else f"{seconds / 86_400:.0f}\u00a0d"
