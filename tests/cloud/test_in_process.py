"""The transport that connects the providers' HTTP client to the doubles without a socket."""

import httpx
import pytest

from providers import http, waiting
from providers.errors import ProviderError, Uncertain
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World


def client() -> http.Http:
    return http.Http(
        "http://control.test",
        service="the control address",
        authorize=lambda _again: "",
        explain=lambda response, doing: ProviderError(f"{doing}: HTTP {response.status_code}"),
    )


def test_host_selects_service(world: World) -> None:
    response = client().request("GET", "/delays", doing="read the delays")

    assert response.json()["machine_start"] == world.delays.machine_start


def test_broken_connection(world: World) -> None:
    """A write whose connection breaks is uncertain."""
    world.faults.arm(Fault("lose_after", service="control", method="POST"))

    with pytest.raises(Uncertain, match="ReadError"):
        client().request("POST", "/delays", doing="change the delays", json={"machine_start": 9.0})

    assert world.delays.machine_start == 9.0


def test_hanging_call(world: World) -> None:
    """A hanging call advances the clock by its timeout, without real time."""
    world.faults.arm(Fault("hang", service="control", method="POST"))
    before = waiting.clock.now()

    with pytest.raises(Uncertain, match="ReadTimeout"):
        client().request("POST", "/delays", doing="change the delays", json={}, attempt_seconds=20)

    assert waiting.clock.now() - before == 20


def test_unknown_host(world: World) -> None:
    with pytest.raises(httpx.ConnectError), httpx.Client(transport=http.make_transport("")) as client:
        client.get("http://api.example")
