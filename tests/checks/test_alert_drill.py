"""The drill with a real Alertmanager, run as a machine of the double: a page that arrives, and one that does not."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pulumi.dynamic import Config, ConfigureRequest

from components.monitoring.machines import IMAGES, Monitored, Receiver, alertmanager_yml, in_base64, machines
from harness.driver import Driven
from providers import http, waiting
from providers.checks import alert_drill
from providers.checks.alert_drill import AlertDrillProvider, NotDelivered
from providers.errors import ProviderError
from providers.fly import silence
from providers.fly.api import execution
from providers.fly.api.client import Fly
from providers.fly.app import AppProvider
from providers.fly.machine import MachineProvider
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.server import Listeners
from rehearsal.cloud.world import World
from tests.fly.alertmanager import alerts_of, leave_firing
from tests.fly.checked import DRILL
from tests.fly.journeys import monitored
from tests.needs import needs

MONITORED = Monitored(app="solos", monitor="solos-monitor", org="sol-labs", hostname="solos.fly.dev", logs=False)


class Monitor:
    """An app with Alertmanager, whose pages go to a receiver of the control server."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        fly, platform = addresses["fly"], addresses["fly_platform"]
        self._config = {
            "solos:endpoints": f'{{"fly": "{fly}", "flyPlatform": "{platform}"}}',
            "solos:flyApiToken": "fo1_x",
        }
        self.drill = self._driven(AlertDrillProvider)

    def start(self, page: str) -> dict[str, Any]:
        """Run it with that URL for pages, and return the arguments of a drill."""
        receiver = Receiver(kind="webhook", secret=page)
        message = alertmanager_yml(page=receiver, ticket=receiver, heartbeat=page)
        self.create_app()
        self._driven(SecretsProvider).up(app="solos-monitor", values={"FILE_ALERTMANAGER_YML": in_base64(message)})
        machine = self._driven(MachineProvider)
        machine.up(
            app="solos-monitor",
            name="alertmanager",
            region="ord",
            config=machines(MONITORED)["alertmanager"],
            image=IMAGES["alertmanager"],
        )
        return {"app": "solos-monitor", "machine_id": machine.id, "watched": "solos", "receiver": "page", "route": page}

    def create_app(self) -> None:
        self._driven(AppProvider).up(name="solos-monitor", org="sol-labs")

    @property
    def fly(self) -> Fly:
        provider = AppProvider()
        provider.configure(ConfigureRequest(Config(self._config, "solos")))
        return provider.fly

    def received(self) -> list[str]:
        responses = httpx.get(f"{self.addresses['control']}/receivers/page").json()
        return [notice["status"] for notice in responses]

    def _driven(self, provider: type[Any]) -> Driven:
        instance = provider()
        instance.configure(ConfigureRequest(Config(self._config, "solos")))
        return Driven(instance)


@pytest.fixture
def monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    monkeypatch.delenv("FLY_API_TOKEN", raising=False)
    wire = httpx.HTTPTransport()
    with closing(World(tmp_path, delays=Delays(monitor_speed=60))) as world, Listeners(world), wire as transport:
        # A function of this test alone, so that its connections are closed with it.
        monkeypatch.setattr(http, "make_transport", lambda base_url: transport)
        yield Monitor(world.addresses)


@needs("prometheus-alertmanager", "amtool")
def test_page_and_resolve_arrive(monitor: Monitor) -> None:
    about = monitor.start(f"{monitor.addresses['control']}/receivers/page")

    monitor.drill.up(**about)
    monitor.drill.up(**{**about, "machine_id": "another"})

    assert monitor.drill.steps == ["create", "same"]
    assert monitor.received() == ["firing", "resolved"]
    assert monitor.drill.outputs["resolved_at"] >= monitor.drill.outputs["fired_at"]


@needs("prometheus-alertmanager", "amtool")
def test_interrupted_drill_is_repeated(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alertmanager sends no second page while the alert of the first drill fires."""
    about = monitor.start(f"{monitor.addresses['control']}/receivers/page")
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "poll", _interrupt)
        with pytest.raises(ProviderError, match="interrupted"):
            monitor.drill.up(**about)
    waiting.poll(lambda: monitor.received() == ["firing"] or None, seconds=20, waiting_for="the first page")

    monitor.drill.up(**about)

    assert monitor.received() == ["firing", "resolved"] * 2


def _interrupt(*_: object, **__: object) -> None:
    raise ProviderError("interrupted")


def test_drill_interrupted_before_its_page(world: World, settings: dict[str, Any]) -> None:
    """It sends no resolve either, which is not waited for any longer than a group_interval."""
    stack = monitored(world, settings)
    leave_firing(world, DRILL, paged=False)
    began = world.clock.now()

    stack.drill()

    assert alerts_of(world) == {DRILL: "resolved"}
    assert world.clock.now() - began < alert_drill.STEP_SECONDS


@needs("prometheus-alertmanager", "amtool")
def test_silent_receiver_is_named(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_drill, "STEP_SECONDS", 2.0)
    about = monitor.start("http://127.0.0.1:9/secret-path")

    with pytest.raises(NotDelivered, match="receiver page of app solos-monitor") as message:
        monitor.drill.up(**about)

    assert "connection refused" in str(message.value), "the reason reaches the person"
    assert "secret-path" not in str(message.value)


@needs("prometheus-alertmanager", "amtool")
def test_silences_end_with_the_update(monitor: Monitor) -> None:
    """During an update both kinds of alerts are silenced, afterwards only those that look back; a failed update too."""
    machine_id = monitor.start(f"{monitor.addresses['control']}/receivers/page")["machine_id"]
    fly = monitor.fly

    def silenced() -> list[str]:
        query = ["amtool", f"--alertmanager.url={silence.ALERTMANAGER}", "silence", "query", "-o", "json"]
        found = json.loads(execution.execute(fly, "solos-monitor", machine_id, query))
        return sorted(matcher["value"] for each in found for matcher in each["matchers"] if matcher["name"] == "deploy")

    def fail() -> None:
        assert silenced() == ["mute|settle"]
        raise NotDelivered("the update failed")

    with (
        pytest.raises(NotDelivered, match="the update failed"),
        silence.during_update(fly, "solos-monitor", "solos", 600),
    ):
        fail()

    assert silenced() == ["settle"]


def test_update_without_monitor(monitor: Monitor) -> None:
    """An update goes on without a monitor, and with one that does not run."""
    monitor.create_app()
    updates = 0
    for name in (None, "not-created", "solos-monitor"):
        with silence.during_update(monitor.fly, name, "solos", 600):
            updates += 1

    assert updates == 3
