"""A small project for both engines: a copy of `things/`, which declares one resource of each kind."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.program import PASSPHRASE, SALT, encrypted
from rehearsal.endpoints import NOWHERE
from tests.needs import needs
from tests.processes import wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Things:
    """The project and its stack `dev`. Operations return the exit code; the output is in `text`."""

    engine: str
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    _seen: int = 0

    @property
    def world(self) -> Path:
        return self.folder / "world"

    def preview(self, *options: str) -> int:
        return self._run("preview", *options)

    def up(self, *options: str, **config: Any) -> int:
        self.config.update(config)
        return self._run("up", "--yes", "--skip-preview", *options)

    def refresh(self, *options: str) -> int:
        return self._run("refresh", "--yes", *options)

    def destroy(self, *options: str) -> int:
        return self._run("destroy", "--yes", *options)

    def start(self, *arguments: str, **config: Any) -> subprocess.Popen[str]:
        """Start an operation in the background."""
        self.config.update(config)
        return subprocess.Popen(
            self.command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def until_called(self, call: str) -> None:
        """Wait for this call."""
        wait_until(lambda: call in self.calls(), call)

    def calls(self) -> set[str]:
        """The calls since the last use of this method, without check and diff."""
        lines = [json.loads(line) for line in (self.world / "calls").read_text().splitlines()]
        new, self._seen = lines[self._seen :], len(lines)
        return {f"{call} {label}" for call, label in new if call not in ("check", "diff")}

    def objects(self) -> dict[str, dict[str, Any]]:
        """The existing objects by id."""
        return {path.stem: json.loads(path.read_text()) for path in self.world.glob("*.json")}

    def only(self, label: str) -> Path:
        """The file of the only object with this label."""
        (path,) = self.world.glob(f"{label}-??????.json")
        return path

    def state(self) -> dict[str, dict[str, Any]]:
        """The entries of the state by name."""
        path = self.folder / "state/.pulumi/stacks/things/dev.json"
        entries = json.loads(path.read_text())["checkpoint"]["latest"].get("resources") or []
        return {entry["urn"].rpartition("::")[2]: entry for entry in entries}

    def command(self, *arguments: str) -> list[str]:
        self._write_config()
        if self.engine == "embedded":
            return [sys.executable, "-m", "rehearsal.engine", *arguments, "--stack", "dev", "--cwd", str(self.folder)]
        return ["pulumi", *arguments, "--stack", "dev", "--cwd", str(self.folder), "--non-interactive"]

    def _run(self, *arguments: str) -> int:
        done = subprocess.run(
            self.command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        self.text = done.stdout
        return done.returncode

    def _write_config(self) -> None:
        given = {f"things:{key}": value for key, value in self.config.items()}
        fixed = {"things:password": encrypted("hunter2"), "things:endpoints": NOWHERE}
        content = {"encryptionsalt": SALT, "config": {**fixed, **given}}
        (self.folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("pulumi", marks=needs("pulumi")),
    ]
)
def things(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Things]:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "tests/engine/things", folder)
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    project["runtime"]["options"] = {"toolchain": "pip", "virtualenv": sys.prefix}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    (folder / "world").mkdir()
    (folder / "world/calls").touch()
    (folder / "state").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", (folder / "state").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    monkeypatch.setenv("PULUMI_HOME", os.environ.get("PULUMI_HOME", str(tmp_path / "home")))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("THINGS", str(folder / "world"))
    stack = Things(request.param, folder)
    if request.param == "pulumi":
        stack.command()
        subprocess.run(["pulumi", "stack", "init", "dev", "--cwd", folder], check=True, capture_output=True)
    yield stack
    if request.param == "pulumi":
        subprocess.run(
            ["pulumi", "cancel", "--yes", "--stack", "dev", "--cwd", folder], check=False, capture_output=True
        )
        end_leftovers(f"THINGS={folder / 'world'}")


def end_leftovers(variable: str) -> None:
    """Kill the processes that a killed CLI leaves: those with this variable in their environment. Needs /proc."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable.encode() in environ.read_bytes().split(b"\0"):
                os.kill(int(environ.parent.name), signal.SIGKILL)
