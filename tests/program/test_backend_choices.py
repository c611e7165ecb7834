"""What a stack may choose for its backend, through the whole program and over real HTTP."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from checklist.rows import examine
from components import command as commands
from harness.program import Stack, calls, fly, has_pulumi
from report.state import read

DOMAIN = "api.sollabs.example"
API = {"Authorization": "Bearer fo1_rehearsal"}
NEXT = "registry.fly.io/solserver:1.0.1"
pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def engine() -> str:
    """One is enough, the real one where it is installed: the launch is tested on both."""
    return "pulumi" if has_pulumi() else "embedded"


def test_own_domain(stack: Stack, addresses: dict[str, str]) -> None:
    """The first `up` lists the DNS records to enter; the next one verifies the backend at the domain."""
    stack.configure(domain=DOMAIN)

    assert stack.run("up") != 0
    (app,) = fly(addresses)["fly_app"]
    assert f"enter at the DNS provider of {DOMAIN}: A {DOMAIN} 66.241.124.100" in stack.text
    assert "Traceback" not in stack.text

    httpx.post(f"{addresses['control']}/fly/dns", json={"hostname": DOMAIN, "points_to": app["name"]})
    assert stack.run("up") == 0, stack.text
    assert stack.outputs()["health"] == f"https://{DOMAIN}/health"
    certificate = stack.outputs()["certificate"]
    assert certificate["expiresAt"] > "2026"
    assert {"type": "A", "name": DOMAIN, "value": "66.241.124.100", "why": "address"} in certificate["dnsRecords"]
    assert httpx.get(f"{addresses['proxy']}/health", headers={"Host": DOMAIN}).json()["version"] == "1.0.0"

    before = calls(addresses, "fly")
    assert stack.run("up") == 0, stack.text
    assert calls(addresses, "fly") == before


def test_image_build(stack: Stack, addresses: dict[str, str], tmp_path: Path) -> None:
    """The image is built when its source changes, and deployed by the digest that was pushed."""
    source = tmp_path / "solserver"
    source.mkdir()
    (source / "VERSION").write_text("1.0.0")
    (source / "push.py").write_text(
        "import json, os, sys, urllib.request\n"
        "about = {'reference': os.environ['IMAGE'], 'digest': 'sha256:' + os.environ['SOURCE'], 'version': open('VERSION').read()}\n"
        "urllib.request.urlopen(sys.argv[1], json.dumps(about).encode())\n"
        "print('pushed', 'x' * 200_000)\n"
        "open('../environment', 'w').write(' '.join(sorted(os.environ)))\n"
    )
    command = f"{sys.executable} push.py {addresses['control']}/fly/images"
    image = "registry.fly.io/solserver:latest"
    stack.configure(image=image, imageBuild={"command": command, "context": str(source)})

    assert stack.run("preview") == 0, stack.text
    assert image not in {item["reference"] for item in fly(addresses)["fly_image"]}
    assert stack.run("up") == 0, stack.text
    first = stack.outputs()["image"]

    (source / "VERSION").write_text("1.0.0 again")
    stack.configure(expectBody='"1.0.0 again"')
    assert stack.run("up") == 0, stack.text
    assert stack.outputs()["image"] != first
    assert "x" * 100 not in stack.text  # three occur by chance in an encrypted value
    assert (stack.project / "build/image.log").read_text().startswith("pushed xxx")
    assert set((tmp_path / "environment").read_text().split()) <= {
        *commands.PASSED,
        "IMAGE",
        "SOURCE",
        "PWD",
        "LC_CTYPE",
    }

    (source / "push.py").write_text("raise SystemExit('no space left on device')")
    running = fly(addresses)["fly_machine"]
    assert stack.run("up") != 0
    assert "no space left on device" in stack.text
    assert [machine["config"]["image"] for machine in fly(addresses)["fly_machine"]] == [running[0]["config"]["image"]]


def test_postgres_backend(stack: Stack, addresses: dict[str, str]) -> None:
    """Rows survive a release, and a restored backup replaces a bad migration."""
    stack.configure(database={"kind": "postgres", "plan": "starter"})
    assert stack.run("preview") != 0
    assert "fly.toml:18: [[mounts]] is only for SQLite, but `database.kind` is postgres; remove it" in stack.text
    stack.remove_volume()

    assert stack.run("up") == 0, stack.text
    (app,), (cluster,) = fly(addresses)["fly_app"], fly(addresses)["fly_postgres"]
    assert (cluster["name"], cluster["plan"]) == (f"{app['name']}-db", "starter")
    assert cluster["_users"]["solserver"]["password"] not in stack.text
    host = {"Host": f"{app['name']}.fly.dev"}
    httpx.post(f"{addresses['proxy']}/notes", headers=host, json={"text": "kept"}).raise_for_status()

    httpx.post(f"{addresses['control']}/fly/images", json={"reference": NEXT}).raise_for_status()
    stack.configure(image=NEXT, expectBody='"1.0.1"')
    assert stack.run("up") == 0, stack.text
    assert [note["text"] for note in httpx.get(f"{addresses['proxy']}/notes", headers=host).json()] == ["kept"]
    assert len(fly(addresses)["fly_postgres"][0]["_backups"]) == 2
    stack.outputs()  # What it leaves in `text` is the whole state.
    evidence = {
        finding.row.key: finding.text for finding in examine(read(json.loads(stack.text)).known(datetime.now(UTC)), {})
    }
    assert evidence["database"].startswith(f"Postgres 17, cluster {cluster['id']} in sjc, plan starter")
    assert "with the databases fly-db, solserver" in evidence["backups"]
    assert len(fly(addresses)["fly_postgres"]) == 1

    # A machine of another name: the rows stay in the database of the first one.
    stack.configure(machine="solserver-lax", replaceMachine="true", protect="false")
    assert stack.run("preview") != 0
    assert "cannot change from solserver to solserver_lax" in stack.text
    stack.configure(database={"kind": "postgres", "plan": "starter", "server": "solserver"})
    assert stack.run("up") == 0, stack.text
    assert [machine["name"] for machine in fly(addresses)["fly_machine"] if machine["state"] != "destroyed"] == [
        "solserver-lax"
    ]
    assert [note["text"] for note in httpx.get(f"{addresses['proxy']}/notes", headers=host).json()] == ["kept"]
    assert set(fly(addresses)["fly_postgres"][0]["_users"]) == set(cluster["_users"])

    # The second image's migration was bad: back to the backup that was taken before it.
    before = fly(addresses)["fly_postgres"][0]["_backups"][-1]["id"]
    httpx.post(f"{addresses['proxy']}/notes", headers=host, json={"text": "spoilt"}).raise_for_status()
    restored = {"backup_id": before, "name": "restored-db"}
    response = httpx.post(f"{addresses['fly']}/v1/postgres/{cluster['id']}/restore", headers=API, json=restored)
    response.raise_for_status()
    stack.configure(database={"kind": "postgres", "plan": "starter", "server": "solserver", "name": "restored-db"})
    assert stack.run("up") == 0, stack.text
    assert [note["text"] for note in httpx.get(f"{addresses['proxy']}/notes", headers=host).json()] == ["kept"]
    assert [item["name"] for item in fly(addresses)["fly_postgres"]] == ["restored-db"]

    assert stack.run("destroy") == 0, stack.text
    assert fly(addresses)["fly_postgres"] == []
