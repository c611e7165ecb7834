"""The checklist for a terminal."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from checklist.row import Finding


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A line per row, below the heading of its phase. Below a row that is open, or the last of several that are open for the same
    reason, a line says what to do."""
    phase = None
    for finding, following in pairwise([*findings, None]):
        assert finding is not None
        if finding.row.phase is not phase:
            yield f"\n{finding.row.phase}" if phase else finding.row.phase
            phase = finding.row.phase
        yield f"  {finding.state:8} {finding.row.title}: {finding.summary if finding.holds else finding.text}"
        if not finding.holds and not (following and _is_same(finding, following)):
            yield f"{'':11}→ {finding.remedy}"


def _is_same(finding: Finding, following: Finding) -> bool:
    return (finding.row.phase, finding.text, finding.remedy) == (following.row.phase, following.text, following.remedy)
