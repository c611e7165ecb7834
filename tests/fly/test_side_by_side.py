"""The update with a second machine: no request fails, and one machine is left, whatever happens."""

from collections import Counter
from typing import Any

import httpx
import pytest

from harness.driver import Driven
from harness.inprocess import FLY_TOKEN, Doubles, route_to
from providers.errors import Incomplete, ProviderError
from providers.fly.app import AppProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.store import Document
from rehearsal.cloud.world import World
from tests.fly.backend import HOSTNAME, living
from tests.fly.conftest import APP, CONFIG, Configured, push

SOLSERVER = "registry.fly.io/solserver"
BAD = {"expect_body": '"1.0.2"', "healthy_seconds": 20.0}


class Users(httpx.BaseTransport):
    """Requests the server's health before and after each call, and counts the statuses."""

    def __init__(self, world: World) -> None:
        self._doubles = Doubles(world)
        self.statuses: Counter[int] = Counter()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._ask()
        try:
            return self._doubles.handle_request(request)
        finally:
            self._ask()

    def _ask(self) -> None:
        request = httpx.Request("GET", "http://proxy.test/health", headers={"Host": HOSTNAME})
        self.statuses[self._doubles.handle_request(request).status_code] += 1


@pytest.fixture
def stateless(configured: Configured, world: World) -> dict[str, Any]:
    """The arguments of a machine without a volume."""
    Driven(configured(AppProvider)).up(**APP)
    Driven(configured(IpAddressProvider)).up(app="solos-prod", type="shared_v4")
    return {
        "app": "solos-prod",
        "name": "server",
        "region": "sjc",
        "config": {"services": CONFIG["services"], "env": {"DATABASE_PATH": "/solos.db"}},
        "image": push(world, "1.0.0"),
        "hostname": HOSTNAME,
        "expect_body": '"1.0.0"',
        "strategy": "bluegreen",
        "tag": f"{SOLSERVER}:1.0.0",
    }


@pytest.fixture
def running(configured: Configured, stateless: dict[str, Any]) -> Driven:
    machine = Driven(configured(MachineProvider))
    machine.up(**stateless)
    return machine


@pytest.fixture
def users(running: Driven, world: World, monkeypatch: pytest.MonkeyPatch) -> Users:
    users = Users(world)
    route_to(monkeypatch, world, users)
    return users


def only(world: World) -> Document:
    (machine,) = living(world, "fly_machine")
    return machine


def by_hand(world: World, name: str, config: dict[str, Any]) -> None:
    """Another process creates a machine."""
    body = {"name": name, "region": "sjc", "config": config}
    url, headers = "http://fly.test/v1/apps/solos-prod/machines", {"Authorization": f"Bearer {FLY_TOKEN}"}
    assert Doubles(world).handle_request(httpx.Request("POST", url, json=body, headers=headers)).status_code == 200
    world.clock.sleep(5.0)


@pytest.mark.parametrize("strategy", ["bluegreen", "canary"])
def test_no_request_fails(
    running: Driven, stateless: dict[str, Any], world: World, users: Users, strategy: str
) -> None:
    before = only(world)

    running.up(**stateless | {"strategy": strategy, "image": push(world, "1.0.1"), "expect_body": '"1.0.1"'})

    after = only(world)
    assert users.statuses.keys() == {200}
    assert (before["name"], after["name"]) == ("server", "server-2")
    assert running.id == before["id"]
    assert running.outputs["machine_id"] == after["id"]
    assert running.outputs["downtime_seconds"] == 0.0
    assert not after["cordoned"]
    assert strategy.upper() in {release["strategy"] for release in world.store.all("fly_release")}


def test_update_in_place_fails_requests(running: Driven, stateless: dict[str, Any], world: World, users: Users) -> None:
    """What the second machine is for."""
    running.up(**stateless | {"strategy": "rolling", "image": push(world, "1.0.1"), "expect_body": '"1.0.1"'})

    assert users.statuses.keys() > {200}


def test_bad_release_fails_no_request(running: Driven, stateless: dict[str, Any], world: World, users: Users) -> None:
    before = only(world)

    with pytest.raises(ProviderError, match="Rolled back to the previous version: its machine"):
        running.up(**stateless | BAD | {"image": push(world, "1.0.2", broken="unhealthy")})

    assert users.statuses.keys() == {200}
    assert only(world)["id"] == before["id"]


def test_wrong_version_fails_no_request(running: Driven, stateless: dict[str, Any], world: World, users: Users) -> None:
    """The second machine is healthy, and the public address does not show the expected version."""
    before = only(world)

    with pytest.raises(ProviderError, match="failed at the public address"):
        running.up(**stateless | BAD | {"image": push(world, "1.0.1")})

    assert users.statuses.keys() == {200}
    assert (only(world)["id"], only(world)["cordoned"]) == (before["id"], False)


def test_names_take_turns(running: Driven, stateless: dict[str, Any], world: World) -> None:
    for tag, name in (("1.0.1", "server-2"), ("1.0.3", "server")):
        running.up(**stateless | {"image": push(world, tag), "expect_body": f'"{tag}"'})
        assert only(world)["name"] == name

    running.up(**stateless | {"image": push(world, "1.0.4"), "expect_body": '"1.0.4"', "strategy": "rolling"})

    assert running.outputs["machine_id"] == only(world)["id"]


def test_first_machine_stays(running: Driven, stateless: dict[str, Any], world: World) -> None:
    """Fly does not destroy the first machine: the second one is recorded, and the next `up` repeats it."""
    world.faults.arm(Fault("refuse", service="fly", method="DELETE", path="/machines/[0-9a-f]+$", status=422))
    released = stateless | {"image": push(world, "1.0.1"), "expect_body": '"1.0.1"'}
    with pytest.raises(Incomplete):
        running.up(**released)
    assert len(living(world, "fly_machine")) == 2

    running.up(**released)

    assert only(world)["name"] == "server-2"
    assert not running.outputs.get("second_machine")


def test_refresh_shows_second_machine(running: Driven, stateless: dict[str, Any], world: World) -> None:
    """A killed run has left it, and the release is reverted."""
    by_hand(world, "server-2", only(world)["config"])

    running.refresh()
    assert running.outputs["second_machine"]
    running.up(**stateless)

    assert only(world)["name"] == "server"


def test_name_of_another_client(running: Driven, stateless: dict[str, Any], world: World) -> None:
    by_hand(world, "server-2", {"image": stateless["image"]})

    with pytest.raises(ProviderError, match=r"has the name server-2, .* was made by another client"):
        running.up(**stateless | {"image": push(world, "1.0.1"), "expect_body": '"1.0.1"'})

    assert sorted(machine["name"] for machine in living(world, "fly_machine")) == ["server", "server-2"]


@pytest.mark.parametrize("left", [1, 2])
def test_adopted_without_state(
    running: Driven, configured: Configured, stateless: dict[str, Any], world: World, left: int
) -> None:
    """The state is lost after an update, or during one: then the older of the two machines is kept."""
    released = stateless | {"image": push(world, "1.0.1"), "expect_body": '"1.0.1"'}
    if left == 1:
        running.up(**released)
    else:
        by_hand(world, "server-2", only(world)["config"])
    again = Driven(configured(MachineProvider))

    again.up(**(released if left == 1 else stateless))

    assert only(world)["name"] == ("server-2" if left == 1 else "server")
    assert again.id == again.outputs["machine_id"] == only(world)["id"]


def test_destroy_leaves_no_machine(running: Driven, stateless: dict[str, Any], world: World) -> None:
    running.up(**stateless | {"image": push(world, "1.0.1"), "expect_body": '"1.0.1"'})

    running.destroy()

    assert living(world, "fly_machine") == []
