"""The checklist for a terminal: wrapped to its width and coloured; plain lines in a file or a pipe."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from textwrap import wrap

from checklist.row import Finding, State

COLORS: Mapping[State, str] = {
    State.OK: "\x1b[32m",
    State.WAITING: "\x1b[36m",
    State.MISSING: "\x1b[33m",
    State.FAILED: "\x1b[1;31m",
    State.WAIVED: "\x1b[35m",
}
BOLD, RESET = "\x1b[1m", "\x1b[0m"
INDENT, NARROW_INDENT = 11, 4
NARROW = 60
"""Below so many columns a line is continued under its state, not under its title."""


def show(findings: Sequence[Finding]) -> None:
    """Print the checklist, as standard output can show it. NO_COLOR (no-color.org) is respected."""
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    color = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    print("\n".join(lines(findings, width=width, color=color)))


def lines(findings: Sequence[Finding], *, width: int | None = None, color: bool = False) -> Iterator[str]:
    """A line per row, below the heading of its phase. Below a row that is open, or the last of several that are open for the same
    reason, a line says what to do. A line that is longer than `width` is continued indented, and broken between words only: an
    identifier can be copied."""
    indent = " " * (INDENT if width is None or width >= NARROW else NARROW_INDENT)
    phase = None
    for finding, following in pairwise([*findings, None]):
        assert finding is not None
        if finding.row.phase is not phase:
            heading = f"{BOLD}{finding.row.phase}{RESET}" if color else finding.row.phase
            yield f"\n{heading}" if phase else heading
            phase = finding.row.phase
        text = f"{finding.row.title}: {finding.summary if finding.holds else finding.text}"
        first, *more = _wrapped(f"  {finding.state:8} {text}", width, indent)
        yield first.replace(finding.state, f"{COLORS[finding.state]}{finding.state}{RESET}", 1) if color else first
        yield from more
        if not finding.holds and not (following and _is_same(finding, following)):
            yield from _wrapped(f"{indent}→ {finding.remedy}", width, f"{indent}  ")


def _wrapped(line: str, width: int | None, indent: str) -> list[str]:
    if width is None:
        return [line]
    return wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _is_same(finding: Finding, following: Finding) -> bool:
    return (finding.row.phase, finding.text, finding.remedy) == (following.row.phase, following.text, following.remedy)
