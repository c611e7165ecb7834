"""The project that infra-docs/YOUR_APP.md describes: another name, its files, and nothing of SolOS in what it creates."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.engine import StackInProcess
from harness.inprocess import FLY_TOKEN, new_world
from harness.program import ROOT, encrypted

PAGE = (ROOT / "infra-docs" / "YOUR_APP.md").read_text(encoding="utf-8")
ASKED = {
    "org": "acme",
    "app": "acme-api",
    "image": "registry.fly.io/acme-images:1.0.0",
    "machine": "server",
    "bundleId": "com.example.acme",
    "appName": "Acme",
    "version": "1.0.0",
    "build": "1",
    "label": "v1",
}
"""What `pulumi new` asks for."""


def block(language: str, starts: str) -> str:
    """A block of the page."""
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if text.startswith(starts)]
    assert len(found) == 1, f"the page has {len(found)} blocks that start with {starts}"
    return str(found[0])


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackInProcess]:
    """A project as `pulumi new` makes it, with the files of the page, and what exists at Fly and Apple before."""
    stack = StackInProcess.new(tmp_path / "acme", new_world())
    folder = stack.project
    stack.edit("Pulumi.yaml", "name: solos\n", "name: acme-api\n")
    stack.edit("Pulumi.yaml", "product: solos\n", "product: acme\n")
    (folder / "infra-docs").unlink()
    shutil.copytree(ROOT / "infra-docs", folder / "infra-docs")
    (folder / "fly.toml").write_text(block("toml", "# fly.toml"))
    (folder / "infra-docs" / "environment.toml").write_text(block("toml", "# infra-docs/environment.toml"))
    endpoints = stack.config["solos:endpoints"]
    stack.config.clear()
    stack.config |= yaml.safe_load(block("yaml", "# Pulumi.prod.yaml"))["config"]
    own: dict[str, Any] = {**ASKED, "endpoints": endpoints, "secrets": {"STRIPE_API_KEY": encrypted("sk_x")}}
    stack.config |= {f"acme-api:{key}": value for key, value in own.items()}
    stack.configure()
    stack.control("POST", "/fly/tokens", {"token": FLY_TOKEN, "org": "acme"})
    stack.control("POST", "/fly/apps", {"name": "acme-images", "org": "acme", "for_images": True})
    stack.control("POST", "/fly/images", {"reference": ASKED["image"], "health": ["/healthz"]})
    for tester in stack.config["acme-api:testers"]:
        stack.control("POST", "/appstore/users", tester)
    yield stack
    stack.world.close()


def test_page_is_complete(stack: StackInProcess) -> None:
    assert stack.run("preview") == 0, stack.text
    assert "+ fly:ManagedPostgres" in stack.text
    assert "+ fly:ReleaseCommand" in stack.text
    assert "solos" not in stack.text.lower()


def test_nothing_of_solos(stack: StackInProcess) -> None:
    """Names, types and properties of everything that a launch creates."""
    assert stack.run("up", "--skip-preview") != 0, "Apple has no app record yet"
    record = {"bundleId": ASKED["bundleId"], "name": ASKED["appName"], "sku": "acme", "primaryLocale": "en-US"}
    stack.control("POST", "/appstore/apps", record)
    stack.world.clock.sleep(60)
    assert stack.run("up", "--skip-preview") == 0, stack.text

    (state,) = (stack.folder / "state/.pulumi/stacks/acme-api").glob("*.json")
    resources = json.loads(state.read_text())["checkpoint"]["latest"]["resources"]
    assert {"acme-api:index:Backend", "pulumi-python:dynamic/checks:Rollout"} <= {
        each["type"].rpartition("$")[2] for each in resources
    }
    for resource in resources:
        for properties in ("inputs", "outputs"):
            resource.get(properties, {}).pop("__provider", None)
    named = json.dumps(resources)
    assert [named[found.start() - 60 : found.end() + 60] for found in re.finditer("(?i)solos", named)] == []
    assert "solos" not in json.dumps(stack.control("GET", "/fly/state")).lower()


def test_missing_key_is_named(stack: StackInProcess) -> None:
    """As the stack file writes it."""
    del stack.config["acme-api:secrets"]
    stack.configure()

    assert stack.run("preview") != 0
    assert "acme-api:secrets.STRIPE_API_KEY: is missing: charges cards; run `pulumi config set --secret" in stack.text
