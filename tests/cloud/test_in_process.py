"""The transport that leads the providers' own HTTP client to the doubles without a socket."""

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


def test_a_call_reaches_the_service_that_its_host_names(world: World) -> None:
    answer = client().request("GET", "/delays", doing="read the delays")

    assert answer.json()["machine_start"] == world.delays.machine_start


def test_a_broken_connection_is_an_uncertain_write(world: World) -> None:
    world.faults.arm(Fault("lose_after", service="control", method="POST"))

    with pytest.raises(Uncertain, match="ReadError"):
        client().request("POST", "/delays", doing="change the delays", json={"machine_start": 9.0})

    assert world.delays.machine_start == 9.0


def test_a_call_that_hangs_costs_its_own_timeout_and_no_real_time(world: World) -> None:
    world.faults.arm(Fault("hang", service="control", method="POST"))
    before = waiting.clock.now()

    with pytest.raises(Uncertain, match="ReadTimeout"):
        client().request("POST", "/delays", doing="change the delays", json={}, attempt_seconds=20)

    assert waiting.clock.now() - before == 20


def test_a_host_without_a_double_refuses_the_connection(world: World) -> None:
    with pytest.raises(httpx.ConnectError), httpx.Client(transport=http.make_transport("")) as client:
        client.get("http://api.example")
