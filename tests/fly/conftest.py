"""A healthy machine with its app, address and volume.

Every test of the Fly side also holds both sides of the wire against Fly's own description, where that is there.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.driver import Driven
from harness.inprocess import control
from providers import engine
from providers.fly.api.client import Fly
from providers.fly.app import AppProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.world import World
from tests import specification
from tests.fly import description

CONFIG: dict[str, Any] = {
    "env": {"DATABASE_PATH": "/data/solos.db", "LOG_LEVEL": "info"},
    "mounts": [{"path": "/data", "name": "solos_data"}],
    "services": [
        {
            "protocol": "tcp",
            "internal_port": 8080,
            "checks": [{"type": "http", "port": 8080, "path": "/health", "interval": "15s", "timeout": "2s"}],
        }
    ],
}
APP = {"name": "solos-prod", "org": "sol-labs"}
Configured = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def as_fly_describes_it() -> Iterator[None]:
    with specification.conforming("fly.test", description.NAME, description.DEVIATIONS):
        yield


def push(world: World, tag: str, **about: Any) -> str:
    """The digest reference of a new image."""
    pushed = control(world, "POST", "/fly/images", {"reference": f"registry.fly.io/solserver:{tag}", **about})
    return f"registry.fly.io/solserver@{pushed['digest']}"


@pytest.fixture
def fly(configured: Configured) -> Fly:
    client: Fly = configured(AppProvider).fly
    return client


@pytest.fixture
def app(configured: Configured) -> Driven:
    app = Driven(configured(AppProvider))
    app.up(**APP)
    return app


@pytest.fixture
def arguments(configured: Configured, world: World) -> dict[str, Any]:
    """The arguments of a healthy machine whose app, address and volume exist."""
    Driven(configured(AppProvider)).up(**APP)
    Driven(configured(IpAddressProvider)).up(app="solos-prod", type="shared_v4")
    volume = Driven(configured(VolumeProvider))
    volume.up(app="solos-prod", name="solos_data", region="sjc", size_gb=1)
    return {
        "app": "solos-prod",
        "name": "solos",
        "region": "sjc",
        "config": CONFIG,
        "image": push(world, "1.0.0"),
        "volume_id": volume.id,
    }


@pytest.fixture
def machine(configured: Configured, arguments: dict[str, Any]) -> Driven:
    machine = Driven(configured(MachineProvider))
    machine.up(**arguments)
    return machine


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notes on the screen."""
    lines: list[str] = []
    monkeypatch.setattr(engine, "note", lines.append)
    return lines
