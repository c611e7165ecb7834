"""A backend that was created by hand is adopted: nothing is created twice or lost, and all differences are shown."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness.program import IMAGE, Stack, calls, encrypted, fly, has_pulumi
from tests.needs import needs

APP = "solos-rehearsal"
MACHINE = "quiet-river-1234"
SESSION_SECRET = "made-by-hand-and-in-use"


@pytest.fixture
def engine() -> str:
    """One is enough, the real one where it is installed: what `up` does is tested on both elsewhere."""
    return "pulumi" if has_pulumi() else "embedded"


@dataclass(frozen=True)
class ByHand:
    """What is at Fly before anybody has run the program."""

    volume: str
    machine: str

    def is_all_there_is(self, addresses: dict[str, str]) -> bool:
        there = {
            kind: [resource.get("id") or resource.get("ip") for resource in found]
            for kind, found in fly(addresses).items()
        }
        return (
            (there["fly_machine"], there["fly_volume"]) == ([self.machine], [self.volume])
            and len(there["fly_app"]) == 1
            and len(there["fly_ip"]) == 2
        )


def make(api: httpx.Client) -> tuple[str, str]:
    """Volume and machine of a new app."""

    def post(path: str, **body: Any) -> Any:
        while (response := api.post(path, json=body)).status_code == 404:
            time.sleep(0.1)  # Fly shows a new app late.
        return response.raise_for_status().json()

    post("/apps", name=APP, org_slug="sol-labs")
    post(f"/apps/{APP}/ip_assignments", type="shared_v4")
    post(f"/apps/{APP}/ip_assignments", type="v6")
    post(f"/apps/{APP}/secrets", values={"SESSION_SECRET": SESSION_SECRET})
    volume = post(f"/apps/{APP}/volumes", name="data", region="sjc", size_gb=10)["id"]
    config = {
        "image": IMAGE,
        "env": {"DATABASE_PATH": "/data/solos.sqlite3", "PORT": "8080"},
        "mounts": [{"volume": volume, "path": "/data"}],
        "services": [{"protocol": "tcp", "internal_port": 8080, "ports": [{"port": 443, "handlers": ["tls", "http"]}]}],
    }
    machine = post(f"/apps/{APP}/machines", name=MACHINE, region="sjc", config=config)["id"]
    return volume, machine


@pytest.fixture
def by_hand(stack: Stack, addresses: dict[str, str]) -> ByHand:
    """App, addresses, volume, secret and machine, as `fly apps create`, `fly volumes create` … leave them."""
    stack.configure(uniqueNames="false", app=APP, database={"kind": "sqlite", "restoreDrill": "false"})
    headers = {"Authorization": "Bearer fo1_rehearsal"}
    with httpx.Client(base_url=f"{addresses['fly']}/v1", headers=headers) as api:
        volume, machine = make(api)
    while not (response := note(addresses, "written before")).is_success:
        time.sleep(0.1)
    assert response.status_code == 201
    return ByHand(volume, machine)


def note(addresses: dict[str, str], text: str) -> httpx.Response:
    return httpx.post(f"{addresses['proxy']}/notes", headers={"Host": f"{APP}.fly.dev"}, json={"text": text})


def notes(addresses: dict[str, str]) -> list[str]:
    response = httpx.get(f"{addresses['proxy']}/notes", headers={"Host": f"{APP}.fly.dev"})
    return [note["text"] for note in response.json()]


@pytest.fixture
def survey(stack: Stack, tmp_path: Path) -> Callable[[], int]:
    """Runs the command; its exit code. The file is `import.json` beside the stack's state."""

    def run() -> int:
        (tmp_path / "survey.yaml").write_text(yaml.safe_dump({"config": stack.config}))
        files = ("--config-file", str(tmp_path / "survey.yaml"), "--file", str(tmp_path / "import.json"))
        return stack._command(sys.executable, "-m", "adoption", "--stack", "test", *files)

    return run


def test_survey_changes_nothing(
    stack: Stack, addresses: dict[str, str], by_hand: ByHand, survey: Callable[[], int]
) -> None:
    before = len(calls(addresses))

    assert survey() == 1
    assert f"`pulumi config set machine {MACHINE}`" in stack.text
    stack.configure(machine=MACHINE)
    assert survey() == 0, stack.text

    assert f"exists     fly:Volume solos-backend-volume: {by_hand.volume}" in stack.text
    assert f"exists     fly:Machine solos-backend-machine: {by_hand.machine}" in stack.text
    assert "to create  checks:Rollout solos-backend-rollout" in stack.text
    assert f"warning    up sets the secret SESSION_SECRET of {APP} to a new value" in stack.text
    assert all(" GET " in call or " HEAD " in call for call in calls(addresses)[before:])


@pytest.mark.usefixtures("people")
def test_up_adopts_existing(stack: Stack, addresses: dict[str, str], by_hand: ByHand) -> None:
    stack.configure(secrets={"SESSION_SECRET": encrypted(SESSION_SECRET)})
    assert stack.run("up") != 0
    assert f"set the machine's name (config key machine) to {MACHINE} to adopt what is there" in stack.text
    assert by_hand.is_all_there_is(addresses)

    stack.configure(machine=MACHINE)
    assert stack.run("up") == 0, stack.text

    assert by_hand.is_all_there_is(addresses)
    assert notes(addresses) == ["written before"]
    assert fly(addresses)["fly_secrets"][0]["now"]["SESSION_SECRET"]["value"] == SESSION_SECRET


@needs("pulumi")
@pytest.mark.usefixtures("people")
def test_import_previews_differences(
    stack: Stack, addresses: dict[str, str], by_hand: ByHand, survey: Callable[[], int], tmp_path: Path
) -> None:
    stack.configure(machine=MACHINE, secrets={"SESSION_SECRET": encrypted(SESSION_SECRET)})
    assert survey() == 0, stack.text
    file = str(tmp_path / "import.json")
    assert SESSION_SECRET not in (tmp_path / "import.json").read_text()

    assert stack.run("import", "--file", file, "--generate-code=false", "--protect=false") == 0, stack.text
    before = len(calls(addresses))
    assert stack.run("preview") == 0, stack.text
    assert len(calls(addresses)) == before
    assert "~ snapshot_retention : 5 => 14" in stack.text
    assert "~ memory_mb: 256 => 512" in stack.text
    assert "(replace)" not in stack.text
    created = [line.split("dynamic/")[1] for line in stack.text.splitlines() if "fly:" in line and "(create)" in line]
    assert {line.partition(": ")[0] for line in created} <= {"fly:Secrets", "fly:Survey"}

    assert stack.run("up") == 0, stack.text
    assert by_hand.is_all_there_is(addresses)
    assert notes(addresses) == ["written before"]

    # The state is lost. Everything is already as the program wants it, so an import leaves nothing to change.
    assert stack._command("pulumi", "stack", "rm", "test", "--force", "--yes", "--preserve-config") == 0, stack.text
    assert stack._command("pulumi", "stack", "init", "test") == 0, stack.text
    assert survey() == 0, stack.text
    assert stack.run("import", "--file", file, "--generate-code=false", "--protect=false") == 0, stack.text
    assert stack.run("preview") == 0, stack.text
    updates = [line.split("dynamic/")[1] for line in stack.text.splitlines() if "(update)" in line]
    assert updates in ([], ["fly:Machine: (update)"])  # Its secrets_version, which is known when the secrets are set.
