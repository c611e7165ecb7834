"""The checklist for a terminal."""

from collections.abc import Iterable, Iterator

from checklist.row import Finding


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """A line per row, below the heading of its phase. Below a row that is open, a line says what to do."""
    phase = None
    for finding in findings:
        if finding.row.phase is not phase:
            yield f"\n{finding.row.phase}" if phase else finding.row.phase
            phase = finding.row.phase
        yield f"  {finding.state:8} {finding.row.title}: {finding.summary if finding.holds else finding.text}"
        if not finding.holds:
            yield f"{'':11}→ {finding.remedy}"
