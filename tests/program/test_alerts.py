"""A page that arrives, with the real Prometheus, blackbox exporter and Alertmanager in the monitor's machines.

They run what the stack rendered for them; their durations are divided by SPEED (`rehearsal/cloud/fly/loopback.py`).
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from rehearsal.cloud.fly.programs import PROGRAMS
from tests.program.stack import Stack
from tests.program.watching import act, machines, watch

SPEED = 30
PATIENCE = 60.0
"""Seconds; never asserted on, only given up after."""
TELEGRAF = PROGRAMS["telegraf"]
pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def control(addresses: dict[str, str]) -> Iterator[httpx.Client]:
    missing = [program.binary for program in PROGRAMS.values() if program.path() is None and program != TELEGRAF]
    if missing:
        pytest.skip(f"NOT TESTED: that a page arrives; `make monitoring-tools` installs {', '.join(missing)}")
    with httpx.Client(base_url=addresses["control"]) as client:
        client.post("/delays", json={"monitor_speed": SPEED})
        yield client


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:g} s"
        time.sleep(0.1)


def received(control: httpx.Client, receiver: str, alert: str) -> list[str]:
    """The states in which the receiver was told of the alert, in order."""
    notices: list[dict[str, Any]] = control.get(f"/receivers/{receiver}").json()
    return [each["status"] for notice in notices for each in notice["alerts"] if each["alertname"] == alert]


def test_a_page_arrives_and_resolves_and_silence_is_noticed(
    stack: Stack, addresses: dict[str, str], control: httpx.Client
) -> None:
    watch(stack, addresses["control"], logs=TELEGRAF.path() is not None)
    assert stack.run("up") == 0, stack.text
    assert received(control, "page", "SolosDrill") == ["firing", "resolved"]
    assert received(control, "page", "SolosHealthDown") == []
    if TELEGRAF.path():
        app = machines(addresses)["solserver"]["_app"]
        until(lambda: app in {line["labels"]["app"] for line in control.get("/lines").json()}, "a line at the sink")

    act(addresses, "stop", "solserver")
    until(lambda: received(control, "page", "SolosHealthDown") == ["firing"], "the page")
    act(addresses, "start", "solserver")
    until(lambda: received(control, "page", "SolosHealthDown") == ["firing", "resolved"], "the resolve")

    assert control.get("/deadman").json()["silent"] is False
    act(addresses, "stop", "prometheus")
    until(lambda: control.get("/deadman").json()["silent"], "the dead man's switch")
