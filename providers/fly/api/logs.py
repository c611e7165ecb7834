"""What a machine did, from its events and its log lines: crashes, and the last words for an error text.

The log API (fly.md, section 15.1) is not a documented one and may be out of reach of a deploy token, so no log lines is an
answer too: events alone then decide whether a machine crashes.
"""

import re
from datetime import datetime
from typing import Any

from providers.errors import ProviderError
from providers.fly.api.client import Fly

LAST_WORDS = 5
CRASH = re.compile(
    r"main child exited (?:with|normally with) (?:code|signal):? (?!0\b)|max restart count|out of memory", re.IGNORECASE
)
"""What Fly's init writes when the main process ends badly; the application's own lines are not judged."""


def crashes(machine: dict[str, Any]) -> list[str]:
    """The unasked-for exits since the machine's current version was launched, newest first, each in words."""
    found = []
    for event in machine.get("events") or ():
        if event["type"] in ("launch", "update"):
            break
        if event["type"] == "exit":
            request = event.get("request") or {}
            exit_event = request.get("exit_event") or request
            if exit_event.get("requested_stop"):
                continue
            code = exit_event.get("exit_code", exit_event.get("guest_exit_code"))
            if exit_event.get("oom_killed"):
                found.append(f"killed for using too much memory (exit code {code})")
            elif code:
                found.append(f"exit code {code}")
    return found


def is_crashing(machine: dict[str, Any]) -> bool:
    """Whether the machine has crashed for good, or keeps crashing."""
    times = len(crashes(machine))
    return times > 1 or (times == 1 and machine["state"] in ("stopped", "failed"))


def crash_lines(fly: Fly, app: str, machine: dict[str, Any]) -> list[str]:
    """What Fly's init wrote about a bad end since the machine's current version was launched; the newest last."""
    launched = next((event["timestamp"] for event in machine.get("events") or () if event["type"] == "launch"), 0)
    return [
        line["message"]
        for line in _lines(fly, app, machine["id"]) or ()
        if CRASH.search(line["message"]) and _milliseconds(line["timestamp"]) >= launched
    ]


def last_lines(fly: Fly, app: str, machine_id: str) -> list[str] | None:
    """The newest log messages of the machine, oldest first; None when they cannot be read."""
    lines = _lines(fly, app, machine_id)
    return None if lines is None else [str(line["message"]) for line in lines]


def _lines(fly: Fly, app: str, machine_id: str) -> list[dict[str, Any]] | None:
    try:
        answer = fly.web("GET", f"/apps/{app}/logs", doing=f"read the logs of {app!r}", params={"instance": machine_id})
    except ProviderError:
        return None
    return [entry["attributes"] for entry in (answer or {}).get("data") or ()]


def _milliseconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp() * 1000


def epilogue(fly: Fly, app: str, machine: dict[str, Any] | None, machine_id: str) -> str:
    """The machine's exits and last log lines, for an error text: one line."""
    exits = crashes(machine) if machine else []
    lines = last_lines(fly, app, machine_id)
    told = [f"exits: {', '.join(exits)}"] if exits else []
    if lines:
        told.append("last log lines: " + " | ".join(" ".join(line.split())[:160] for line in lines[-LAST_WORDS:]))
    else:
        told.append(f"no log lines {'to read' if lines is None else 'yet'} (`fly logs -a {app}`)")
    return "; ".join(told)
