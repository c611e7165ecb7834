"""Reads a stack as `up` does, with and without the CLI, with decrypted secrets."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.program import PASSPHRASE, encrypted, stack_file
from preflight.finding import examine
from preflight.stack import Unreadable, read
from project.state import state_file
from tests.needs import needs
from tests.preflight.conftest import ROOT


@pytest.fixture(params=["embedded", pytest.param("pulumi", marks=needs("pulumi"))])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a stack `prod` that has one secret; it is named after the reader."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    folder = tmp_path / str(request.param)
    folder.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    document = stack_file(secrets={"SESSION_SECRET": encrypted("worth nothing")})
    (folder / "Pulumi.prod.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    if request.param == "embedded":
        monkeypatch.setattr("preflight.stack.shutil.which", lambda program: None)
    else:
        subprocess.run(["pulumi", "stack", "init", "prod"], cwd=folder, check=True, capture_output=True)
    return folder


def test_values_as_in_program(project: Path) -> None:
    """Values, defaults and secrets are those that the program gets."""
    stack = read(project, "prod")

    assert stack.values["solos:org"] == "sol-labs"
    assert stack.values["solos:apiKey"] == "API_BASE_URL"
    assert yaml.safe_load(stack.values["solos:secrets"]) == {"SESSION_SECRET": "worth nothing"}
    assert stack.secret_keys == {"solos:secrets"}
    assert (stack.resource_ids, stack.problem) == ({}, "")
    assert "worth nothing" not in repr(stack)


def test_claims_of_other_stacks(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The apps and bundle IDs of the other stacks in the backend, from their states."""
    monkeypatch.setattr("preflight.stack.shutil.which", lambda program: None)
    kind = "pulumi-python:dynamic/"
    resources = [
        {"type": f"{kind}fly:App", "id": "solos-prod"},
        {"type": f"{kind}appstore:BundleId", "id": "X", "inputs": {"identifier": "com.sollabs.solos"}},
    ]
    for stack in ("prod", "production"):
        path = state_file(tmp_path / ".pulumi", "solos", stack)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}), encoding="utf-8")

    assert read(project, "prod").claimed == {
        "app solos-prod": "production",
        "bundle ID com.sollabs.solos": "production",
    }


def test_number_without_quotes(project: Path) -> None:
    """In the file that is given, and for a project of another name."""
    file, name = project / "mine.yaml", "acme-api"
    declared = (project / "Pulumi.yaml").read_text().replace("name: solos\n", f"name: {name}\n", 1)
    (project / "Pulumi.yaml").write_text(declared)
    given = (project / "Pulumi.prod.yaml").read_text().replace("solos:", f"{name}:")
    file.write_text(re.sub(r"  acme-api:version: .*", "\\g<0>\n  acme-api:earlierReleases: {v-1: 1.10}", given))

    problems = examine(read(project, "prod", file)).problems

    assert "mine.yaml:" in "\n".join(map(str, problems))
    assert "YAML reads 1.10 as a number or a date" in "\n".join(map(str, problems))


def test_wrong_passphrase(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")

    with pytest.raises(Unreadable, match="incorrect passphrase"):
        read(project, "prod")


def test_stack_unknown_to_cli(project: Path) -> None:
    """A stack that the CLI does not know is read from its files."""
    (project / "Pulumi.other.yaml").write_text(
        (project / "Pulumi.prod.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )

    stack = read(project, "other")

    assert stack.values["solos:org"] == "sol-labs"
    assert stack.problem == ("no stack named 'other' found" if project.name == "pulumi" else "")
