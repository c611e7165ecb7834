"""The copy of a stack file: the keys of a project of another name are found, and written back."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from project.files import BadProject, read_yaml
from rehearsal.doubles import Doubles
from rehearsal.stack import RehearsalStack


def test_project_of_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Pulumi.yaml").write_text("name: acme-api\n")
    Path("Pulumi.prod.yaml").write_text("config: {'acme-api:org': acme, 'aws:region': eu}\n")
    doubles = cast(Doubles, SimpleNamespace(credentials={}))

    stack = RehearsalStack("prod", Path("Pulumi.prod.yaml"), tmp_path / "folder", "embedded", doubles)
    stack.configure({"protect": False})

    written: dict[str, Any] = yaml.safe_load(stack.file.read_text())["config"]
    assert stack.config["org"] == "acme"
    assert written == {"acme-api:org": "acme", "aws:region": "eu", "acme-api:protect": False}


@pytest.mark.parametrize("tracked", [True, False])
def test_restored_with_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracked: bool) -> None:
    """Only a file that git has is restored with git: a project from `pulumi new` has no history."""
    monkeypatch.chdir(tmp_path)
    file = Path("Pulumi.prod.yaml")
    file.write_text("config: [")
    if tracked:
        subprocess.run(["git", "init", "--quiet"], check=True)
        subprocess.run(["git", "add", file], check=True)

    with pytest.raises(BadProject) as invalid:
        read_yaml(file)
    file.unlink()
    with pytest.raises(BadProject) as missing:
        read_yaml(file)

    for refused in (invalid, missing):
        assert ("git checkout Pulumi.prod.yaml" in str(refused.value)) == tracked
