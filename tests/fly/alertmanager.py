"""Alertmanager in a machine of the doubles in memory: it keeps the alerts that amtool adds, and logs its notifications.

As the real one, it notifies only when an alert begins or ends, however often it is added. It does so at once: the real one runs in
`tests/checks/test_alert_drill.py`.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from rehearsal.cloud.fly.formats import rfc3339
from rehearsal.cloud.store import Document
from rehearsal.cloud.world import World

KIND = "alertmanager_alert"
SUCCESS = (
    'ts={at} level=debug component=dispatcher receiver=page integration=webhook[0] msg="Notify success" number={number}'
)


@contextmanager
def alertmanager(world: World) -> Iterator[None]:
    """Machines have amtool, which talks to it."""
    runtime = world.machines.runtime
    others = runtime.execute

    def execute(id: str, command: Sequence[str], seconds: float) -> Document:
        if command[0] != "amtool":
            return others(id, command, seconds)
        return {"exit_code": 0, "exit_signal": 0, "stdout": _amtool(world, id, command[2:]), "stderr": ""}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtime, "execute", execute)
        yield


def alerts_of(world: World) -> dict[str, str]:
    """Which alerts fire, and which are resolved."""
    return {alert["name"]: _status(world, alert) for alert in world.store.all(KIND)}


def leave_firing(world: World, name: str, *, paged: bool) -> None:
    """An alert that fires, with a page or, at its very beginning, without one yet."""
    ends_at = world.clock.now() + 1800
    world.store.put(KIND, name, {"name": name, "notified": "firing" if paged else "resolved", "ends_at": ends_at})


def _amtool(world: World, machine_id: str, arguments: Sequence[str]) -> str:
    """What `amtool alert …` prints."""
    if arguments[1] == "query":
        name = next(argument for argument in arguments if argument.startswith("alertname=")).partition("=")[2]
        firing = [alert for alert in world.store.all(KIND, name=name) if _status(world, alert) == "firing"]
        return json.dumps([{"labels": {"alertname": alert["name"]}} for alert in firing])
    assert arguments[1] == "add", arguments
    name = arguments[2]
    end = next(argument for argument in arguments if argument.startswith("--end=")).partition("=")[2]
    alert = world.store.get(KIND, name) or {"name": name, "notified": "resolved"}
    alert["ends_at"] = datetime.fromisoformat(end).timestamp()
    status = _status(world, alert)
    if status != alert["notified"]:
        number = world.store.count("alertmanager_notification")
        world.machines.log(machine_id, SUCCESS.format(at=rfc3339(world.clock.now()), number=number))
    world.store.put(KIND, name, {**alert, "notified": status})
    return ""


def _status(world: World, alert: dict[str, Any]) -> str:
    return "firing" if world.clock.now() < alert["ends_at"] else "resolved"
