"""The whole program against the doubles over real HTTP, through the embedded engine: from an empty world and back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
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


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Doubles of their own process, by name, with the release's image in the registry."""
    command = [sys.executable, "-m", "rehearsal", "serve", "--port", "0", "--data", str(tmp_path / "world")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as doubles:
        assert doubles.stdout is not None
        addresses: dict[str, str] = json.loads(doubles.stdout.readline())
        httpx.post(f"{addresses['control']}/fly/images", json={"reference": IMAGE}).raise_for_status()
        yield addresses
        doubles.terminate()


class Stack:
    """The rehearsal stack, its endpoints at these doubles."""

    def __init__(self, folder: Path, addresses: dict[str, str]) -> None:
        config = yaml.safe_load((ROOT / "Pulumi.rehearsal.yaml").read_text())
        config["config"]["solos:endpoints"] = {key: addresses[name] for key, name in ENDPOINTS.items()}
        self._file = folder / "Pulumi.test.yaml"
        self._file.write_text(yaml.safe_dump(config))
        self._config = config
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "FLY_API_TOKEN": "fo1_rehearsal",
        }
        self.text = ""

    def configure(self, **changes: Any) -> None:
        self._config["config"].update({f"solos:{key}": value for key, value in changes.items()})
        self._file.write_text(yaml.safe_dump(self._config))

    def run(self, *arguments: str) -> int:
        command = [
            sys.executable,
            "-m",
            "rehearsal.engine",
            *arguments,
            "--stack",
            "test",
            "--config-file",
            str(self._file),
        ]
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


@pytest.fixture
def stack(tmp_path: Path, addresses: dict[str, str]) -> Stack:
    return Stack(tmp_path, addresses)


def calls(addresses: dict[str, str]) -> int:
    """How many calls have reached the vendors so far."""
    return len(httpx.get(f"{addresses['control']}/journal").json())


def fly(addresses: dict[str, str]) -> dict[str, list[Any]]:
    state: dict[str, list[Any]] = httpx.get(f"{addresses['control']}/fly/state").json()
    return state


def test_from_an_empty_world_to_a_verified_backend_and_back(stack: Stack, addresses: dict[str, str]) -> None:
    assert stack.run("preview") == 0, stack.text
    assert calls(addresses) == 0

    assert stack.run("up") == 0, stack.text
    (app,) = fly(addresses)["fly_app"]
    health = httpx.get(f"{addresses['proxy']}/health", headers={"Host": f"{app['name']}.fly.dev"})
    assert health.json()["version"] == "1.0.0"

    before = calls(addresses)
    assert stack.run("up", "--expect-no-changes") == 0, stack.text
    assert calls(addresses) == before

    assert stack.run("destroy") == 0, stack.text
    assert not any(objects for kind, objects in fly(addresses).items() if kind != "fly_image")


def test_an_image_that_does_not_exist_makes_no_machine_and_up_goes_on(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(image="registry.fly.io/solserver:9.9.9")
    assert stack.run("up") == 1
    assert "there is no such image" in stack.text
    assert "Traceback" not in stack.text
    assert fly(addresses)["fly_machine"] == []

    stack.configure(image=IMAGE)
    assert stack.run("up") == 0, stack.text
    assert len(fly(addresses)["fly_app"]) == len(fly(addresses)["fly_machine"]) == 1


def test_bad_settings_are_refused_before_any_call(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(version="1.0.0 (v0)", testers=[{"email": "nobody"}])

    assert stack.run("up") == 1

    assert "solos:version" in stack.text
    assert "solos:testers" in stack.text
    assert calls(addresses) == 0
