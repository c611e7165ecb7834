"""The rehearsal stack in the hands of a test: its configuration, and commands of either engine in a process of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "registry.fly.io/solserver:1.0.0"
ENDPOINTS = {
    "fly": "fly",
    "flyPlatform": "fly_platform",
    "registry": "registry",
    "proxy": "proxy",
    "appstore": "appstore",
}


class Stack:
    """A stack with the configuration of Pulumi.rehearsal.yaml, its endpoints at these doubles."""

    def __init__(self, folder: Path, addresses: dict[str, str], engine: str = "embedded") -> None:
        config = yaml.safe_load((ROOT / "Pulumi.rehearsal.yaml").read_text())
        self.config: dict[str, Any] = config["config"]
        self._document = config
        self._file = folder / "Pulumi.test.yaml"
        self._engine = engine
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **json.loads((folder / "world" / "credentials.json").read_text()),
        }
        self.text = ""
        self.configure(
            endpoints={key: addresses[name] for key, name in ENDPOINTS.items()},
            ipa=str(folder / "solmobile.ipa"),
            archive=f"{sys.executable} -m rehearsal ipa",
            credentialsFile="",
        )
        if engine == "pulumi":
            (folder / "state").mkdir()
            assert self._command("pulumi", "stack", "init", "test") == 0, self.text

    def configure(self, **changes: Any) -> None:
        """Set keys of the stack file, without their `solos:`; None takes one away."""
        for key, value in changes.items():
            self.config.pop(f"solos:{key}", None)
            if value is not None:
                self.config[f"solos:{key}"] = value
        self._file.write_text(yaml.safe_dump(self._document))

    def run(self, operation: str, *options: str) -> int:
        """`preview`, `up`, `refresh` or `destroy`; the exit code. What was printed is in `text`."""
        if self._engine == "pulumi":
            options = ("--non-interactive", "--diff", *options)
            start = ["pulumi"]
        else:
            start = [sys.executable, "-m", "rehearsal.engine"]
        confirmed = [] if operation == "preview" else ["--yes"]
        return self._command(
            *start, operation, *confirmed, *options, "--stack", "test", "--config-file", str(self._file)
        )

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        export = [sys.executable, "-m", "rehearsal.engine", "export", "--config-file", str(self._file)]
        if self._engine == "pulumi":
            export = ["pulumi", "stack", "export"]
        assert self._command(*export, "--stack", "test") == 0, self.text
        (stack,) = (
            each for each in json.loads(self.text)["deployment"]["resources"] if each["type"] == "pulumi:pulumi:Stack"
        )
        outputs: dict[str, Any] = stack["outputs"]
        return outputs

    def _command(self, *command: str) -> int:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.text = done.stdout
        return done.returncode


def has_pulumi() -> bool:
    return shutil.which("pulumi") is not None


def calls(addresses: dict[str, str], service: str | None = None) -> list[str]:
    """The calls that have reached the vendors so far, as `service METHOD /path`."""
    entries = httpx.get(f"{addresses['control']}/journal").json()
    return [
        f"{each['service']} {each['method']} {each['path']}" for each in entries if service in (None, each["service"])
    ]


def fly(addresses: dict[str, str]) -> dict[str, list[Any]]:
    """What is at Fly, by kind."""
    state: dict[str, list[Any]] = httpx.get(f"{addresses['control']}/fly/state").json()
    return state


def appstore(addresses: dict[str, str]) -> dict[str, list[Any]]:
    """What is in App Store Connect, by type."""
    state: dict[str, list[Any]] = httpx.get(f"{addresses['control']}/appstore/state").json()
    return state
