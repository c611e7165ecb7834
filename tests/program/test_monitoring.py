"""The monitor as part of the whole program: made beside the backend, private, left out by config, no call when nothing changes."""

import httpx

from harness.program import Stack, calls, fly
from rehearsal.cloud.betterstack import TOKEN
from rehearsal.people import People
from tests.needs import uses
from tests.program.watching import MONITOR, watch


@uses(*MONITOR)
def test_monitor_follows_config(stack: Stack, addresses: dict[str, str], people: People) -> None:
    """Created private in its own region; no call when nothing changes; deleted when the key is removed, with the uptime check."""
    watch(stack, addresses["control"], drill="false", uptimeCheck="betterstack")
    assert stack.run("up") == 0, stack.text
    watched, monitor = sorted(app["name"] for app in fly(addresses)["fly_app"])
    machines = {machine["name"]: machine for machine in fly(addresses)["fly_machine"] if machine["_app"] == monitor}
    assert monitor == f"{watched}-monitor"
    assert set(machines) == {"prometheus", "alertmanager", "blackbox", "logs"}
    assert {machine["region"] for machine in machines.values()} == {"ord"}
    assert not [address for address in fly(addresses)["fly_ip"] if address["_app"] == monitor]

    assert uptime_checks(addresses) == [f"https://{watched}.fly.dev/health"]

    people.install("1.0.0", "0")
    assert stack.run("up") == 0, stack.text
    before = calls(addresses)
    assert stack.run("up", "--expect-no-changes") == 0, stack.text
    assert calls(addresses) == before

    stack.configure(monitoring=None, monitoringSecrets=None)
    assert stack.run("up") == 0, stack.text
    assert [app["name"] for app in fly(addresses)["fly_app"]] == [watched]
    assert uptime_checks(addresses) == []


def uptime_checks(addresses: dict[str, str]) -> list[str]:
    """The URLs that Better Stack checks."""
    authorization = {"Authorization": f"Bearer {TOKEN}"}
    listed = httpx.get(f"{addresses['betterstack']}/api/v2/monitors", headers=authorization).json()
    return [monitor["attributes"]["url"] for monitor in listed["data"]]
