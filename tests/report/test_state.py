"""A stack's state as the report reads it."""

from typing import Any

import pytest

from report.state import NotAState, read


def entry(type: str, name: str, **more: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:prod::solos::{type}::{name}", "type": type, "custom": ":" in type, **more}


def state(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"manifest": {}, "resources": list(entries)}}


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("pulumi-python:dynamic/fly:App", "fly:App"),
        ("random:index/randomPet:RandomPet", "random:RandomPet"),
        ("solos:Backend", "solos:Backend"),
    ],
)
def test_a_resource_is_called_as_people_call_it(type: str, kind: str) -> None:
    stack = read(state(entry("pulumi:pulumi:Stack", "solos-prod"), entry(type, "it")))

    assert stack.find(kind) is not None


def test_two_components_may_have_resources_of_a_kind() -> None:
    apps = [entry(f"solos:{part}$pulumi-python:dynamic/fly:App", part.lower()) for part in ("Backend", "Monitoring")]
    entries = [{**app, "type": "pulumi-python:dynamic/fly:App"} for app in apps]

    stack = read(state(entry("pulumi:pulumi:Stack", "solos-prod"), *entries))

    assert [app.name for app in stack.part("solos:Monitoring").all("fly:App")] == ["monitoring"]


def test_of_two_of_a_kind_one_is_found_by_its_name() -> None:
    images = [entry("pulumi-python:dynamic/fly:Image", name) for name in ("drill-image", "image")]

    stack = read(state(entry("pulumi:pulumi:Stack", "solos-prod"), *images))

    found = stack.find("fly:Image", "image")
    assert found is not None
    assert found.name == "image"


def test_what_is_no_state_is_refused_with_what_would_be_one() -> None:
    with pytest.raises(NotAState, match="pulumi stack export"):
        read({"name": "solos"})
