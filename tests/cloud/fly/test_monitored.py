"""What the double does for the monitor: metrics, commands in machines, rewritten addresses, and the bucket."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.monitoring.machines import needed_series
from harness.driver import Driven
from harness.inprocess import Doubles
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.fly.loopback import Loopback
from rehearsal.cloud.world import World
from tests.fly.conftest import arguments, machine
from tests.monitoring.tools import EXAMPLE

__all__ = ["arguments", "machine"]

Configured = Callable[[Any], Any]
MATCH = '{app="solos-prod",__name__=~"fly_.+"}'


def federate(world: World, authorization: str = "FlyV1 fm2_readonly") -> httpx.Response:
    with httpx.Client(transport=Doubles(world), base_url="http://fly-platform.test") as prometheus:
        path = "/prometheus/sol-labs/federate"
        return prometheus.get(path, params={"match[]": MATCH}, headers={"Authorization": authorization})


def test_metrics(world: World, machine: Driven) -> None:
    with httpx.Client(transport=Doubles(world), base_url="http://proxy.test") as users:
        users.get("/notes", headers={"Host": "solos-prod.fly.dev"})

    lines = federate(world).text.splitlines()

    assert any(line.startswith("fly_instance_up{") and machine.id in line and " 1 " in line for line in lines)
    assert any(line.startswith("fly_edge_http_responses_count{") and 'status="200"} 1 ' in line for line in lines)
    assert any('mount="/data"' in line for line in lines if line.startswith("fly_instance_filesystem_blocks_avail"))


def test_rules_have_their_series(world: World, machine: Driven) -> None:
    """Every metric of Fly that a rule needs, so that a rehearsal shows every rule as armed."""
    with httpx.Client(transport=Doubles(world), base_url="http://proxy.test") as users:
        users.get("/notes", headers={"Host": "solos-prod.fly.dev"})

    federated = {line.partition("{")[0] for line in federate(world).text.splitlines()}

    needed = {name for names in needed_series(EXAMPLE).values() for name in names if name.startswith("fly_")}
    assert needed
    assert needed <= federated


def test_metrics_of_other_organisation(world: World, machine: Driven) -> None:
    assert federate(world, "FlyV1 fo1_strangers").status_code == 403
    assert federate(world, "Basic fm2_readonly").status_code == 401


def test_command_runs_in_root(world: World, machine: Driven) -> None:
    """A command runs in the root folder of its machine."""
    code = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM notes').fetchone()[0])"
    )
    with httpx.Client(transport=Doubles(world), base_url="http://fly.test") as client:
        path, headers = f"/v1/apps/solos-prod/machines/{machine.id}/exec", {"Authorization": "Bearer fo1_rehearsal"}
        counted = client.post(path, json={"command": ["python3", "-c", code, "/data/solos.db"]}, headers=headers).json()
        missing = client.post(path, json={"command": ["curl"]}, headers=headers).json()
        client.post(f"/v1/apps/solos-prod/machines/{machine.id}/stop", headers=headers)
        stopped = client.post(path, json={"command": ["python3"]}, headers=headers)

    assert counted == {"exit_code": 0, "exit_signal": 0, "stdout": "0\n", "stderr": ""}
    assert missing["exit_code"] == 127
    assert stopped.status_code == 412


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Loopback]:
    with closing(World(tmp_path, delays=Delays(monitor_speed=10))) as world, closing(Loopback(world)) as loopback:
        yield loopback


def test_private_name_is_one_port(loopback: Loopback) -> None:
    """A private name becomes the same local port in every file."""
    port = loopback.port("solos-monitor", "blackbox", 9115)

    assert loopback.text("blackbox.process.solos-monitor.internal:9115", "other", "app") == f"127.0.0.1:{port}"
    assert loopback.text("--web.listen-address=:9115", "solos-monitor", "blackbox").endswith(f"=127.0.0.1:{port}")
    assert loopback.text('"localhost:9115"', "solos-monitor", "blackbox") == f'"127.0.0.1:{port}"'


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ("for: 1m", "for: 6000ms"),
        ("group_wait: 0s", "group_wait: 0s"),
        ("increase(x[5m] offset 5m)", "increase(x[30000ms] offset 30000ms)"),
        ("--rules.alert.resend-delay=1m", "--rules.alert.resend-delay=6000ms"),
        ('flush_interval = "5s"', 'flush_interval = "500ms"'),
        ('expiration_interval = "0s"', 'expiration_interval = "0s"'),
        ("timeout: 5s", "timeout: 5s"),
        ('url: "http://127.0.0.1:7706/receivers/page"', 'url: "http://127.0.0.1:7706/receivers/page"'),
    ],
)
def test_durations_are_scaled(loopback: Loopback, said: str, done: str) -> None:
    """Durations are divided by `monitor_speed`; other numbers are not changed."""
    assert loopback.text(said, "solos-monitor", "prometheus") == done


def test_public_hosts_are_replaced(loopback: Loopback) -> None:
    text = loopback.text('["https://solos.example.com/health", "api.fly.io"]', "solos-monitor", "prometheus")

    assert "example.com" not in text
    assert "fly.io" not in text
    assert text.count("127.0.0.1:") == 2


def test_bucket(world: World) -> None:
    with httpx.Client(transport=Doubles(world), base_url="http://bucket.test") as client:
        for number in (1, 2, 3):
            client.put(f"/backup/solos/{number}.ltx", content=b"0123456789")
        client.delete("/backup/solos/3.ltx")
        first = client.get("/backup", params={"list-type": "2", "prefix": "solos/", "max-keys": "1"}).text
        part = client.get("/backup/solos/1.ltx", headers={"Range": "bytes=2-4"})

        assert "<Key>solos/1.ltx</Key>" in first
        assert "<IsTruncated>true</IsTruncated>" in first
        assert (part.status_code, part.content) == (206, b"234")
        assert client.get("/backup/solos/3.ltx").status_code == 404
