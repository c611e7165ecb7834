"""What testers wrote is shown as they wrote it, whatever it is, in both forms of the report."""

from typing import Any

from report import html, markdown
from report.launch import gather
from report.state import Stack, read

INSTALLATIONS = "pulumi-python:dynamic/appstore:Installations"
REPORT = {
    "kind": "crash",
    "by": "ada@sollabs.example",
    "device": "iPhone17,1, iOS 26.1",
    "at": "2026-11-27T09:00:00+00:00",
    "comment": "It closed | after <script>alert(1)</script>",
}


def stack(*reports: dict[str, str]) -> Stack:
    outputs: dict[str, Any] = {"reports": list(reports), "devices": {}, "sessions": 1, "crashes": 1, "seen_at": ""}
    resources: list[dict[str, Any]] = [
        {"urn": f"urn:pulumi:prod::solos::{type}::it", "type": type, "custom": True, "outputs": outputs}
        for type in ("pulumi:pulumi:Stack", INSTALLATIONS)
    ]
    return read({"deployment": {"manifest": {}, "resources": resources}})


def test_a_testers_comment_is_shown_and_not_run() -> None:
    launch = gather(stack(REPORT))

    assert launch.feedback == [[REPORT[key] for key in ("at", "by", "kind", "device", "comment")]]
    assert "It closed | after &lt;script&gt;" in html.render(launch)
    assert "It closed \\| after <script>" in markdown.render(launch)


def test_without_any_there_is_no_such_part() -> None:
    launch = gather(stack())

    assert "What testers sent" not in html.render(launch) + markdown.render(launch)
