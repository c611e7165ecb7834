"""Monitors of Better Stack: created once, changed in place, and none that people have made is touched."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.driver import Driven, Refused
from harness.inprocess import Doubles, address
from providers.betterstack.monitor import MonitorProvider
from providers.errors import ProviderError, Uncertain
from rehearsal.cloud.betterstack import KIND, TOKEN
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.betterstack.journeys import NAME, URL

ARGUMENTS = {"name": NAME, "url": URL}


@pytest.fixture
def monitor(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(MonitorProvider))


def by_hand(world: World, method: str, path: str = "", **attributes: object) -> Any:
    """What somebody does on the website."""
    with httpx.Client(transport=Doubles(world), base_url=address("betterstack")) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        response = client.request(method, f"/api/v2/monitors{path}", json=attributes or None, headers=headers)
    assert response.is_success, response.text
    return response.json()["data"] if response.content else None


def attributes(world: World) -> list[dict[str, Any]]:
    return [monitor["attributes"] for monitor in world.store.all(KIND)]


def writes(world: World) -> list[str]:
    return [entry["method"] for entry in world.journal.entries("betterstack") if entry["method"] != "GET"]


def test_created(world: World, monitor: Driven) -> None:
    """An incident only after a failure that is longer than an update, and nothing about who is notified."""
    outputs = monitor.up(**ARGUMENTS, seconds=300)

    [created] = attributes(world)
    assert (created["url"], created["pronounceable_name"], created["check_frequency"]) == (URL, NAME, 300)
    assert (created["monitor_type"], created["expected_status_codes"]) == ("expected_status_code", [200])
    assert (created["follow_redirects"], created["verify_ssl"], created["confirmation_period"]) == (False, True, 120)
    assert (created["email"], created["call"], created["policy_id"]) == (True, False, None)
    assert outputs["status"] == "pending"


def test_nothing_changes(world: World, monitor: Driven) -> None:
    monitor.up(**ARGUMENTS)
    monitor.refresh()
    monitor.up(**ARGUMENTS)

    assert monitor.steps == ["create", "read", "same"]
    assert writes(world) == ["POST"]


def test_changed_in_place(world: World, monitor: Driven) -> None:
    monitor.up(**ARGUMENTS)
    monitor.up(name=NAME, url="https://api.sollabs.example/health", seconds=600)

    [changed] = attributes(world)
    assert (changed["url"], changed["check_frequency"]) == ("https://api.sollabs.example/health", 600)
    assert monitor.steps == ["create", "update"]


def test_other_monitors_left_alone(world: World, monitor: Driven) -> None:
    """A monitor of the same URL, and one with a similar name, on another page of the list."""
    for number in range(251):
        by_hand(world, "POST", url=URL, monitor_type="status", pronounceable_name=f"{NAME} {number}")

    monitor.up(**ARGUMENTS)
    monitor.destroy()

    assert writes(world)[251:] == ["POST", "DELETE"]
    assert len(attributes(world)) == 251


def test_found_on_another_page(world: World, configured: Callable[[Any], Any], monitor: Driven) -> None:
    """A stack that has lost its state finds its monitor, and corrects it."""
    for number in range(251):
        by_hand(world, "POST", url=URL, monitor_type="status", pronounceable_name=f"{NAME} {number}")
    monitor.up(**ARGUMENTS)

    found = Driven(configured(MonitorProvider))
    found.up(**ARGUMENTS, seconds=600)

    assert found.id == monitor.id
    assert attributes(world)[-1]["check_frequency"] == 600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "https://other.example"),
        ("check_frequency", 900),
        ("monitor_type", "status"),
        ("expected_status_codes", [200, 503]),
        ("follow_redirects", True),
        ("verify_ssl", False),
        ("confirmation_period", 0),
        ("paused", True),
    ],
)
def test_changed_by_hand(world: World, monitor: Driven, name: str, value: object) -> None:
    """A refresh sees it, and the next `up` undoes it: also a pause that somebody has forgotten."""
    monitor.up(**ARGUMENTS)
    [before] = attributes(world)
    by_hand(world, "PATCH", f"/{monitor.id}", **{name: value})
    monitor.refresh()

    monitor.up(**ARGUMENTS)

    assert monitor.steps == ["create", "read", "update"]
    assert attributes(world) == [before]


def test_deleted_by_hand(world: World, monitor: Driven) -> None:
    monitor.up(**ARGUMENTS)
    by_hand(world, "DELETE", f"/{monitor.id}")

    assert not monitor.refresh()
    monitor.up(**ARGUMENTS)

    assert len(attributes(world)) == 1


def test_deleted_twice(world: World, monitor: Driven) -> None:
    monitor.up(**ARGUMENTS)
    by_hand(world, "DELETE", f"/{monitor.id}")

    monitor.destroy()

    assert attributes(world) == []


@pytest.mark.parametrize("fault", ["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_lost_response(world: World, monitor: Driven, fault: Kind, method: str) -> None:
    """There is one monitor in the end, if not after this `up` then after the next."""
    world.faults.arm(Fault(fault, service="betterstack", method=method))

    for _ in range(2):
        try:
            monitor.up(**ARGUMENTS)
        except Uncertain:
            continue

    assert len(attributes(world)) == 1


def test_refusal_is_one_line(monitor: Driven) -> None:
    """A plan without that frequency."""
    with pytest.raises(ProviderError) as refused:
        monitor.up(**ARGUMENTS, seconds=30)

    assert str(refused.value) == (
        f"Better Stack refused to create the monitor '{NAME}': "
        "check_frequency is not available on your plan (HTTP 422); "
        "fix what Better Stack names, then run `pulumi up` again"
    )


@pytest.mark.parametrize("body", [None, {}, {"errors": None}, {"errors": [1]}, {"errors": {"url": 1}}, {"errors": {}}])
def test_refusal_without_a_reason(world: World, monitor: Driven, body: Any) -> None:
    world.faults.arm(Fault("refuse", service="betterstack", method="POST", status=422, body=body or "text"))

    with pytest.raises(ProviderError, match=r": no reason given \(HTTP 422\); fix what"):
        monitor.up(**ARGUMENTS)


def test_wrong_token(settings: dict[str, Any], configured: Callable[[Any], Any]) -> None:
    settings["betterStackApiToken"] = "wrong"

    with pytest.raises(ProviderError, match=r"Invalid Team API token.*set BETTERSTACK_API_TOKEN to it") as refused:
        Driven(configured(MonitorProvider)).up(**ARGUMENTS)

    assert "wrong" not in str(refused.value).replace("Invalid", "")


def test_missing_token(settings: dict[str, Any], configured: Callable[[Any], Any]) -> None:
    del settings["betterStackApiToken"]

    with pytest.raises(ProviderError, match=r"the API token of Better Stack is missing; set .* BETTERSTACK_API_TOKEN"):
        Driven(configured(MonitorProvider)).up(**ARGUMENTS)


def test_unknown_frequency(monitor: Driven) -> None:
    with pytest.raises(Refused, match="cannot check every 31 s; set one of 30, 45, 60"):
        monitor.up(**ARGUMENTS, seconds=31)
