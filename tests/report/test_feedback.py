"""Comments of testers are shown as they were written, in both forms of the report."""

from datetime import UTC, datetime
from typing import Any

from report import html, markdown
from report.launch import gather
from report.state import StackState, read

INSTALLATIONS = "pulumi-python:dynamic/appstore:Installations"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
REPORT = {
    "kind": "crash",
    "by": "ada@sollabs.example",
    "device": "iPhone17,1, iOS 26.1",
    "at": "2026-11-27T09:00:00+00:00",
    "comment": "It closed | after <script>alert(1)</script>",
}


def stack(*reports: dict[str, str]) -> StackState:
    outputs: dict[str, Any] = {"reports": list(reports), "devices": {}, "sessions": 1, "crashes": 1, "seen_at": ""}
    resources: list[dict[str, Any]] = [
        {"urn": f"urn:pulumi:prod::solos::{type}::it", "type": type, "custom": True, "outputs": outputs}
        for type in ("pulumi:pulumi:Stack", INSTALLATIONS)
    ]
    return read({"deployment": {"manifest": {}, "resources": resources}})


def test_comment_is_escaped() -> None:
    launch = gather(stack(REPORT), NOW)

    assert launch.feedback == [
        ["2026-11-27 09:00:00 UTC", *(REPORT[key] for key in ("by", "kind", "device", "comment"))]
    ]
    assert "It closed | after &lt;script&gt;" in html.render(launch)
    assert "It closed \\| after <script>" in markdown.render(launch)


def test_no_feedback() -> None:
    launch = gather(stack(), NOW)

    assert "Feedback from testers" not in html.render(launch) + markdown.render(launch)
