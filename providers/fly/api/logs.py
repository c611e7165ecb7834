"""What happened in a machine, from its events and its log lines: crashes, and the last lines for an error text.

The log API is not documented and may be out of reach of a deploy token, so "no log lines" is a valid response; the events then
decide whether the machine crashes.
"""

import math
import re

import msgspec

from providers.decoding import Instant
from providers.errors import ProviderError
from providers.fly.api.client import Fly
from providers.fly.api.machines import Machine

LAST_LINES = 5
CRASH = r"(?i)main child exited (?:with|normally with) (?:code|signal):? (?!0\b)|max restart count|out of memory"
"""What Fly's init writes when the main process ends with an error; the application's own lines are not judged."""


class Line(msgspec.Struct, frozen=True):
    message: str
    timestamp: Instant
    """RFC 3339."""

    @property
    def milliseconds(self) -> float:
        """The time of the line, since 1970."""
        return self.timestamp.moment.timestamp() * 1000


class _Entry(msgspec.Struct):
    attributes: Line


class _Listed(msgspec.Struct):
    data: list[_Entry]


def crashes(machine: Machine) -> list[str]:
    """The exits of the current version that nobody requested, newest first, each as a text.

    Exits between the order of a version and its `start` are those of the previous version.
    """
    exits: list[str] = []
    counted = 0
    for event in machine.own_events:
        if event.has_started:
            counted = len(exits)
        if event.exit and not event.exit.requested_stop:
            code = event.exit.guest_exit_code if event.exit.exit_code is None else event.exit.exit_code
            if event.exit.oom_killed:
                exits.append(f"killed for using too much memory (exit code {code})")
            elif code:
                exits.append(f"exit code {code}")
    return exits[:counted]


def is_crashing(machine: Machine) -> bool:
    """Whether the machine has crashed and stays down, or keeps crashing."""
    times = len(crashes(machine))
    return times > 1 or (times == 1 and machine.state in ("stopped", "failed"))


def crash_lines(fly: Fly, app: str, machine: Machine) -> list[str]:
    """What Fly's init wrote about exits since the last start and before any event after it; the newest last.

    The event after a start is either an exit, which `crashes` judges, or a request to end the process.
    """
    last_start = next((at for at, event in enumerate(machine.events) if event.has_started), None)
    if last_start is None:
        return []
    began = machine.events[last_start].timestamp
    ended = machine.events[last_start - 1].timestamp if last_start else math.inf
    return [
        line.message
        for line in lines_of(fly, app, machine.id) or ()
        if re.search(CRASH, line.message) and began <= line.milliseconds < ended
    ]


def last_lines(fly: Fly, app: str, machine_id: str) -> list[str] | None:
    """The newest log messages of the machine, oldest first; None when they cannot be read."""
    lines = lines_of(fly, app, machine_id)
    return None if lines is None else [line.message for line in lines]


def lines_of(fly: Fly, app: str, machine_id: str) -> list[Line] | None:
    """The newest log lines of the machine, oldest first; None when they cannot be read."""
    path, doing = f"/api/v1/apps/{app}/logs", f"read the logs of app {app}"
    try:
        response = fly.telemetry(path, doing=doing, shape=_Listed, params={"instance": machine_id})
    except ProviderError:
        return None
    return [entry.attributes for entry in response.data]


def epilogue(fly: Fly, app: str, machine: Machine | None, machine_id: str) -> str:
    """The machine's exits and last log lines, for an error text: one line."""
    exits = crashes(machine) if machine else []
    lines = last_lines(fly, app, machine_id)
    parts = [f"exits: {', '.join(exits)}"] if exits else []
    if lines:
        parts.append("last log lines: " + " | ".join(" ".join(line.split())[:160] for line in lines[-LAST_LINES:]))
    elif lines is None:
        parts.append(f"the logs cannot be read (`fly logs -a {app}`)")
    else:
        parts.append(f"no log lines yet (`fly logs -a {app}`)")
    return "; ".join(parts)
