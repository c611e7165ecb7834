"""A stack's state as the report reads it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from checklist.rows import examine
from report.launch import Tone, gather
from report.state import NotAState, read
from tests.checklist import proven

IMAGE = "registry.fly.io/solserver:1.0.0"


def entry(type: str, name: str, **more: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:prod::solos::{type}::{name}", "type": type, "custom": ":" in type, **more}


def state(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"manifest": {}, "resources": list(entries)}}


def test_components_of_a_resource() -> None:
    """Two components may have resources of one type."""
    apps = [entry(f"solos:{part}$pulumi-python:dynamic/fly:App", part.lower()) for part in ("Backend", "Monitoring")]
    entries = [{**app, "type": "pulumi-python:dynamic/fly:App"} for app in apps]

    stack = read(state(entry("pulumi:pulumi:Stack", "solos-prod"), *entries))

    found = stack.find("fly:App", within="Monitoring")
    assert found is not None
    assert found.name == "monitoring"


def proven_state(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """The state after a launch, with other outputs of resources."""
    smoke_test = {"build": "1.0.0 (0)", "image": IMAGE, "signedOff": 5, "of": 5, "open": []}
    outputs = {"reportInput": f"json {json.dumps({'label': 'v0', 'smokeTest': smoke_test})}"}
    entries = [
        {
            "urn": f"urn:pulumi:prod::solos::{'$'.join((*item.components, item.kind))}::{name}",
            "type": f"pulumi-python:dynamic/{item.kind}",
            "id": item.id,
            "outputs": {**item.outputs, **changes.get(name, {})},
        }
        for name, item in proven.PROVEN.items()
    ]
    return state(entry("pulumi:pulumi:Stack", "solos-prod", outputs=outputs), *entries)


def test_findings_from_state() -> None:
    """Rows find in state what they find in a running program."""
    assert examine(read(proven_state()).known(proven.NOW), {}) == examine(proven.known(), {})


def headings(**changes: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What the report lists as not proven, above the checklist."""
    launch = gather(read(proven_state(**changes)), proven.NOW)
    return [(group.heading, [finding.row.key for finding in group.findings]) for group in launch.attention]


def test_not_proven_by_who_acts() -> None:
    assert headings() == []
    assert headings(installations={"devices": {}, "missing": [proven.ADA], "sessions": 0}) == [
        ("Waiting for the testers", ["installed"]),
        ("Waiting for Apple", ["no-crashes"]),
    ]


def test_failure_after_declaration() -> None:
    """A launch that was declared before a crash is not shown as good."""
    crashed: dict[str, dict[str, Any]] = {
        "installations": {"crashes": 2},
        "profile": {"expires_at": "2026-01-01T00:00:00+00:00"},
    }

    verdict = gather(read(proven_state(**crashed)), proven.NOW).verdict

    assert (verdict.tone, verdict.headline) == (Tone.BAD, "Launched, 2 failed")
    assert headings(**crashed) == [("Failed", ["signing", "no-crashes"])]


def test_next_build_before_its_outputs() -> None:
    """The outputs of the stack, and everything after the build, are still of the build that was launched."""
    uploaded = {"version": "1", "upload_id": "U2"}
    launched = gather(read(proven_state()), proven.NOW)
    halfway = gather(read(proven_state(build=uploaded, processed={**uploaded, "build_id": "P2"})), proven.NOW)

    assert launched.verdict.headline == "Launched"
    assert halfway.verdict.headline == "Not launched"
    assert halfway.verdict.detail == "v0 was declared with 1.0.0 (0); 1.0.0 (1) is not declared"
    assert [row[2] for row in launched.testers] == ["1.0.0 (0)"]
    assert [row[2] for row in halfway.testers] == ["not yet"]


def test_not_a_state() -> None:
    with pytest.raises(NotAState, match="pulumi stack export"):
        read({"name": "solos"})
