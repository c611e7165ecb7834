"""The copy of a stack file: the keys of a project of another name are found, and written back."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

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
