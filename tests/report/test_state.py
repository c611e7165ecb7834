"""A stack's state as the report reads it."""

from typing import Any

import pytest

from checklist.rows import examine
from report.state import NotAState, read
from tests.checklist import proven


def entry(type: str, name: str, **more: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:prod::solos::{type}::{name}", "type": type, "custom": ":" in type, **more}


def state(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"manifest": {}, "resources": list(entries)}}


def test_components_of_a_resource() -> None:
    """Two components may have resources of one type."""
    apps = [entry(f"solos:{part}$pulumi-python:dynamic/fly:App", part.lower()) for part in ("Backend", "Monitoring")]
    entries = [{**app, "type": "pulumi-python:dynamic/fly:App"} for app in apps]

    stack = read(state(entry("pulumi:pulumi:Stack", "solos-prod"), *entries))

    found = stack.find("fly:App", within="solos:Monitoring")
    assert found is not None
    assert found.name == "monitoring"


def test_findings_from_state() -> None:
    """Rows find in state what they find in a running program."""
    outputs = {
        "smokeTest": {"signedOff": 5, "of": 5, "open": []},
        "launch": {"label": "v0"},
    }
    entries = [
        {
            "urn": f"urn:pulumi:prod::solos::{'$'.join((*each.components, each.kind))}::{name}",
            "type": f"pulumi-python:dynamic/{each.kind}",
            "id": each.id,
            "outputs": each.outputs,
        }
        for name, each in proven.PROVEN.items()
    ]

    stack = read(state(entry("pulumi:pulumi:Stack", "solos-prod", outputs=outputs), *entries))

    assert examine(stack.known(proven.NOW), {}) == examine(proven.known(), {})


def test_not_a_state() -> None:
    with pytest.raises(NotAState, match="pulumi stack export"):
        read({"name": "solos"})
