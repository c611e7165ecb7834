"""A stack is read as `up` would read it, by the CLI and without it, its secrets opened."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.program import PASSPHRASE, encrypted, stack_file
from preflight.stack import Unreadable, read
from tests.needs import needs
from tests.preflight.conftest import ROOT


@pytest.fixture(params=["embedded", pytest.param("pulumi", marks=needs("pulumi"))])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stack `prod` that has one secret; its name is that of who reads it."""
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


def test_values_defaults_and_secrets_are_there_as_the_program_gets_them(project: Path) -> None:
    stack = read(project, "prod")

    assert stack.values["solos:org"] == "sol-labs"
    assert stack.values["solos:primaryLocale"] == "en-US"
    assert yaml.safe_load(stack.values["solos:secrets"]) == {"SESSION_SECRET": "worth nothing"}
    assert stack.secret_keys == {"solos:secrets"}
    assert (stack.made, stack.problem) == ({}, "")
    assert "worth nothing" not in repr(stack)


def test_a_wrong_passphrase_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")

    with pytest.raises(Unreadable, match="incorrect passphrase"):
        read(project, "prod")


def test_a_stack_that_the_cli_does_not_know_is_read_all_the_same(project: Path) -> None:
    (project / "Pulumi.other.yaml").write_text(
        (project / "Pulumi.prod.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )

    stack = read(project, "other")

    assert stack.values["solos:org"] == "sol-labs"
    assert stack.problem == ("no stack named 'other' found" if project.name == "pulumi" else "")
