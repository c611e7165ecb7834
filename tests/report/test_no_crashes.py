"""When the report believes that a build does not crash: not before it was used."""

from typing import Any

import pytest

from report.checklist import examine
from report.state import read

INSTALLATIONS = "pulumi-python:dynamic/appstore:Installations"


@pytest.mark.parametrize(
    ("sessions", "crashes", "state", "evidence"),
    [
        (9, 0, "ok", "none in 9 sessions"),
        (0, 0, "missing", "Apple has counted no use of the build yet"),
        (9, 1, "failed", "1 crashes in 9 sessions"),
        (0, 1, "failed", "1 crashes in 0 sessions"),
    ],
)
def test_no_crash_is_proven_by_use(sessions: int, crashes: int, state: str, evidence: str) -> None:
    outputs = {"sessions": sessions, "crashes": crashes, "devices": {}, "seen_at": "today"}
    resources: list[dict[str, Any]] = [
        {"urn": f"urn:pulumi:prod::solos::{type}::it", "type": type, "custom": True, "outputs": outputs}
        for type in ("pulumi:pulumi:Stack", INSTALLATIONS)
    ]

    findings = examine(read({"deployment": {"manifest": {}, "resources": resources}}))

    (finding,) = (each for each in findings if each.row.key == "no-crashes")
    assert (finding.state, finding.evidence.split(", seen")[0]) == (state, evidence)
