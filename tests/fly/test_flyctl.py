"""flyctl beside us: the doubles return what it reads, and what a person does with it is what `pulumi refresh` shows.

The last test runs the real program. `flyctl_reads.LAST_RUN` says when it ran last.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.monitoring.machines import FILES
from harness.driver import Driven
from harness.inprocess import FLY_TOKEN, Doubles, configured_provider, stack_settings
from providers.fly.api import postgres
from providers.fly.api.client import Fly
from providers.fly.app import AppProvider
from providers.fly.appconfig import load
from providers.fly.image import ImageProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import packed
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.safe_update import machine_config
from providers.fly.secrets import SecretsProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.fly.flyctl import macaroon
from rehearsal.cloud.fly.programs import SEARCH_PATH
from rehearsal.cloud.server import Listeners
from rehearsal.cloud.world import World
from rehearsal.doubles import Control
from rehearsal.endpoints import ENDPOINTS
from tests.fly.backend import HOSTNAME
from tests.fly.conftest import CONFIG, Configured
from tests.fly.flyctl_reads import APP, CALLS, ORG, QUERIES, Reads
from tests.needs import find, needs

TAG = "registry.fly.io/solserver:{version}"
FLY_TOML = """
app = "solos-prod"
primary_region = "sjc"
[env]
DATABASE_PATH = "/data/solos.db"
[[mounts]]
source = "solos_data"
destination = "/data"
[http_service]
internal_port = 8080
[[http_service.checks]]
path = "/health"
interval = "15s"
timeout = "2s"
[[vm]]
memory = "512mb"
"""


STEP = re.compile(r"[^.(]+(?:\([^)]*\))?")
"""One step of a path: a field, with its arguments if it has some."""
NEVER_LISTED = ("egressIpAddresses.nodes", "services", "machines.nodes", "imageDetails")
"""The doubles have none of these."""


@pytest.fixture
def served(machine: Driven, arguments: dict[str, Any], configured: Configured, world: World, fly: Fly) -> httpx.Client:
    """A client of an app with everything that flyctl lists."""
    Driven(configured(IpAddressProvider)).up(app=APP, type="v6")
    Driven(configured(SecretsProvider)).up(app=APP, values={"SESSION_KEY": "one"})
    recorded = {"hostname": HOSTNAME, "definition": packed({"app": APP}), "tag": TAG.format(version="1.0.0")}
    machine.up(**{**arguments, **recorded, "config": {**CONFIG, "env": {**CONFIG["env"], "LOG_LEVEL": "debug"}}})
    cluster = Driven(configured(ManagedPostgresProvider))
    cluster.up(org=ORG, name="solos", region="sjc", plan="basic", disk_size_gb=10, pg_major_version="16")
    postgres.attach(fly, cluster.id, APP)
    client = httpx.Client(transport=Doubles(world), headers={"Authorization": f"Bearer {FLY_TOKEN}"})
    create = "mutation($input: X!) { createLimitedAccessToken(input: $input) { limitedAccessToken { tokenHeader } } }"
    ask(client, create, input={"name": "laptop", "profile": "deploy_organization"})
    return client


def ask(client: httpx.Client, query: str, **variables: Any) -> Any:
    response = client.post("http://fly-platform.test/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in response, response
    return response["data"]


def selection(paths: Iterable[str]) -> str:
    """A GraphQL selection of these paths."""
    below: dict[str, list[str]] = {}
    for path in paths:
        first, *rest = STEP.findall(path)
        below.setdefault(first, []).extend([path[len(first) + 1 :]] if rest else [])
    return " ".join(field + (f" {{ {selection(rest)} }}" if rest else "") for field, rest in below.items())


def read(value: Any, path: str) -> list[Any]:
    """The values at the path, one for each item of the lists on the way. Raises KeyError."""
    found = [value]
    for step in STEP.findall(path):
        items = [item for value in found for item in (value if isinstance(value, list) else [value])]
        found = [item[step.partition("(")[0]] for item in items if item is not None]
    return found


def faults(command: str, value: Any, reads: Reads) -> Iterator[str]:
    """What a command would miss in `value`, which it reads."""
    for path, kind in reads.items():
        try:
            values = read(value, path)
        except KeyError:
            yield f"{command}: {path} is missing"
            continue
        if not values and not path.startswith(NEVER_LISTED):
            yield f"{command}: there is no {path}"
        yield from (f"{command}: {path} is {item!r}" for item in values if not isinstance(item, kind))


def test_queries_have_what_flyctl_reads(served: httpx.Client) -> None:
    found: list[str] = []
    for command, (field, arguments, reads) in QUERIES.items():
        listed = ", ".join(f"{name}: {json.dumps(value)}" for name, value in arguments.items())
        response = ask(served, f"{{ {field}{listed and f'({listed})'} {{ {selection(reads)} }} }}")
        found += faults(command, response[field], reads)

    assert found == []


def test_responses_have_what_flyctl_reads(served: httpx.Client) -> None:
    found: list[str] = []
    for command, (api, method, path, reads) in CALLS.items():
        response = served.request(method, f"http://{api}.test{path}")
        found += faults(command, response.raise_for_status().json(), reads)

    assert found == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ('{ app(name: "solserver") { volumes } }', "Field 'volumes' doesn't exist on type 'App'"),
        ('{ app(name: "other-app") { id } }', "App not found"),
        ('{ organization(slug: "strangers") { id } }', "unauthorized"),
        ('{ latestImageDetails(image: "solserver:1.0.0") { tag } }', "Unknown repository 'solserver'"),
    ],
)
def test_query_is_refused(world: World, query: str, error: str) -> None:
    client = httpx.Client(transport=Doubles(world), headers={"Authorization": f"Bearer {FLY_TOKEN}"})

    response = client.post("http://fly-platform.test/graphql", json={"query": query}).json()

    assert [item["message"] for item in response["errors"]] == [error]


def test_address_is_released(served: httpx.Client) -> None:
    """As `fly ips release` asks for it; a second time it is unknown."""
    release = "mutation($input: ReleaseIPAddressInput!) { releaseIpAddress(input: $input) { clientMutationId } }"
    show = "query($name: String!) { app(name: $name) { ipAddresses { nodes { address } } } }"
    ((address,),) = (node.values() for node in ask(served, show, name=APP)["app"]["ipAddresses"]["nodes"])
    asked = {"query": release, "variables": {"input": {"appId": APP, "ipAddressId": None, "ip": address}}}

    first, second = (served.post("http://fly-platform.test/graphql", json=asked).json() for _ in range(2))

    assert first == {"data": {"releaseIpAddress": {"clientMutationId": None}}}
    assert [error["message"] for error in second["errors"]] == ["IP address not found"]
    assert ask(served, show, name=APP)["app"]["ipAddresses"]["nodes"] == []


# The real program.


class Beside:
    """Doubles that are served, a backend that this program has deployed to them, and flyctl in a folder with its fly.toml."""

    def __init__(self, world: World, folder: Path) -> None:
        addresses = {endpoint: world.addresses[name] for endpoint, name in ENDPOINTS.items()}
        self.settings = {**stack_settings(), "endpoints": json.dumps(addresses)}
        self.world, self.folder = world, folder
        self.refused: list[str] = []
        """The calls of flyctl that the doubles have refused or do not know."""
        (folder / "fly.toml").write_text(FLY_TOML)
        self.images = [self._push(version) for version in ("1.0.0", "1.0.1")]
        config = load(folder / "fly.toml").config
        self._up(AppProvider, name=APP, org=ORG)
        self.address = self._up(IpAddressProvider, app=APP, type="shared_v4")
        volume = self._up(VolumeProvider, app=APP, name="solos_data", region="sjc", size_gb=1)
        self.secrets = self._up(SecretsProvider, app=APP, values={"SESSION_KEY": "one"})
        self.declared = {
            "app": APP,
            "name": "solserver",
            "region": "sjc",
            "config": config,
            "image": self.images[0],
            "volume_id": volume.id,
            "secrets_version": self.secrets.outputs["version"],
            "hostname": HOSTNAME,
            "tag": TAG.format(version="1.0.0"),
            "definition": packed(load(folder / "fly.toml").document),
        }
        self.machine = self._up(MachineProvider, **self.declared)

    def fly(self, *arguments: str) -> str:
        """Run flyctl; its output."""
        program = find("fly")
        assert program
        return self._run(program, *arguments)

    def shell(self, script: str) -> str:
        """Run a script that calls flyctl; its output."""
        return self._run("sh", "-euc", script)

    def _run(self, *command: str) -> str:
        environment = {
            "PATH": f"{SEARCH_PATH}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "FLY_API_TOKEN": macaroon(ORG),
            "FLY_API_BASE_URL": self.world.addresses["fly_platform"],
            "FLY_UIEX_BASE_URL": self.world.addresses["fly_platform"],
            "FLY_FLAPS_BASE_URL": self.world.addresses["fly"],
            "FLY_NO_UPDATE_CHECK": "1",
            "FLY_SEND_METRICS": "0",
            "NO_COLOR": "1",
        }
        before = len(self.world.journal.entries())
        run = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{command}: {run.stdout} {run.stderr}"
        self.refused += [
            f"{entry['method']} {entry['path']}: {entry['status']} {entry['response']}"
            for entry in self.world.journal.entries()[before:]
            if entry["status"] >= 400 or "errors" in (entry["response"] or {})
        ]
        return run.stdout

    def deploy(self, version: str) -> None:
        """`fly deploy` of an image that exists. The names of the doubles are in no DNS."""
        image = TAG.format(version=version)
        self.fly("deploy", "--image", image, "--dns-checks=false", "--smoke-checks=false")

    def seen(self) -> list[str]:
        """What `pulumi refresh` and a preview show of the machine."""
        self.machine.refresh()
        found = self.machine.inputs
        changed = machine_config.differences(self.declared["config"], found["config"])
        changed += ["image"] if found["image"] != self.declared["image"] else []
        assert self.machine.diff(**self.declared).changes == bool(changed)
        return changed

    def _up(self, provider: Any, **arguments: Any) -> Driven:
        driven = Driven(configured_provider(self.settings, provider))
        driven.up(**arguments)
        return driven

    def _push(self, version: str) -> str:
        Control(self.world.addresses["control"]).do("/fly/images", reference=TAG.format(version=version))
        return str(self._up(ImageProvider, reference=TAG.format(version=version)).outputs["pinned"])


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    world = World()
    with Listeners(world):
        yield Beside(world, tmp_path)
    world.close()


@needs("fly")
def test_names_in_alerts(beside: Beside) -> None:
    """The block at the top of ALERTS.md finds machine and volume, and a machine by the name of its program."""
    text = (FILES.parent / "infra-docs" / "ALERTS.md").read_text(encoding="utf-8")
    block = text.partition("\nAPP=solos-prod MONITOR=solos-prod-monitor ")[2].partition("```")[0]

    output = beside.shell(f"APP={APP} MONITOR={APP} {block.replace('$(of prometheus)', '$(of solserver)')}")

    machine = beside.machine.id
    assert output.split()[::2] == [machine, machine]
    assert output.split()[1].startswith("vol_")


@needs("fly")
def test_person_with_flyctl(beside: Beside) -> None:
    """What is deployed, scaled, set, rolled back and released by hand: refresh and preview show exactly that, and `up` agrees."""
    beside.deploy("1.0.1")
    assert beside.seen() == ["image"]

    beside.fly("scale", "memory", "1024", "--app", APP)
    assert beside.seen() == ["guest.memory_mb", "image"]

    beside.fly("secrets", "set", "SESSION_KEY=two", "--app", APP, "--stage")
    beside.secrets.refresh()
    assert beside.secrets.inputs["values"] == {"SESSION_KEY": "(changed elsewhere)"}

    beside.deploy("1.0.0")  # A rollback; fly.toml sets the memory back.
    assert beside.seen() == []

    beside.machine.up(**beside.declared)
    assert beside.machine.steps[-1] == "same"
    listed = [beside.fly(*command.split(), "--app", APP) for command in ("status", "releases", "secrets list")]
    assert [HOSTNAME in listed[0], listed[1].count("complete"), "Deployed" in listed[2]] == [True, 3, True]
    for command in ("ips list", "volumes list", "scale show", "config save --yes", "logs --no-tail", "machine list"):
        beside.fly(*command.split(), "--app", APP)
    for command in ("apps list", "mpg list", "tokens create org", "tokens list --scope org"):
        beside.fly(*command.split(), "--org", ORG)
    beside.fly("ips", "release", str(beside.address.id), "--app", APP)
    assert not beside.address.refresh()
    assert [call for call in beside.refused if "Unknown repository" not in call] == []
