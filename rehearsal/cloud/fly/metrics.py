"""What Fly measures of an app, as its `/federate` tells it: the last sample of each series, with its own time (observability.md, 2).

Everything here is seen, not made up: machines and their exits from their documents, the file system of a volume from its folder,
answers from the proxy's counts, and what the machine's `metrics` setting names from the machine itself.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from rehearsal.cloud.fly.disks import Disks
from rehearsal.cloud.fly.machine_life import Machines
from rehearsal.cloud.fly.runtime import Runtime, Unanswered
from rehearsal.cloud.store import Document, Store

BLOCK = 4096
RECENT = 300.0
"""Seconds that a sample is told for."""
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+\d+)?")
APP = re.compile(r'app="([^"]+)"')
NAMES = re.compile(r'__name__=~"([^"]+)"')


def of_app(app: str, machines: Machines, store: Store, now: float) -> Iterator[tuple[str, str]]:
    """Name and line of each series."""
    for status, count in (store.get("fly_edge", app) or {}).items():
        labels = {"app": app, "region": "sjc", "host": "a1b2", "status": status}
        yield _line("fly_edge_http_responses_count", labels, count, now)
    for machine in machines.of_app(app):
        labels = {"app": app, "region": machine["region"], "host": "a1b2", "instance": machine["id"]}
        if machine["state"] == "started":
            yield _line("fly_instance_up", labels, 1, now)
            yield from _file_systems(machine, labels, store, machines.disks, now)
            yield from _own(machine, labels, machines.runtime, now)
        for event in machine["events"]:
            told = (event.get("request") or {}).get("exit_event")
            if told and event["timestamp"] / 1000 > now - RECENT:
                at = datetime.fromisoformat(told["exited_at"]).timestamp()
                yield _line("fly_instance_exit_code", labels, told["exit_code"], at)
                yield _line("fly_instance_exit_oom", labels, int(told["oom_killed"]), at)
                break


def wanted(match: str) -> tuple[str | None, "re.Pattern[str]"]:
    """The app and the names that a selector of `match[]` asks for."""
    app, names = APP.search(match), NAMES.search(match)
    return app[1] if app else None, re.compile(names[1] if names else ".*")


def _file_systems(
    machine: Document, labels: Mapping[str, str], store: Store, disks: Disks, now: float
) -> Iterator[tuple[str, str]]:
    for mount in machine["config"].get("mounts") or ():
        volume = store.get("fly_volume", mount["volume"]) or {"size_gb": 1}
        blocks = (volume["size_gb"] << 30) // BLOCK
        used = sum(each.stat().st_size for each in disks.volume(mount["volume"]).iterdir()) // BLOCK
        here = {**labels, "mount": mount["path"]}
        yield _line("fly_instance_filesystem_blocks", here, blocks, now)
        yield _line("fly_instance_filesystem_blocks_avail", here, max(blocks - used, 0), now)


def _own(machine: Document, labels: Mapping[str, str], runtime: Runtime, now: float) -> Iterator[tuple[str, str]]:
    asked = machine["config"].get("metrics")
    if not asked:
        return
    try:
        answer = runtime.ask(machine["id"], asked["port"], "GET", asked.get("path") or "/metrics")
    except Unanswered:
        return
    for text in answer.body.decode(errors="replace").splitlines():
        sample = SAMPLE.fullmatch(text)
        if sample:
            own = f"{sample['labels']}," if sample["labels"] else ""
            yield sample["name"], f"{sample['name']}{{{own}{_labels(labels)}}} {sample['value']} {round(now * 1000)}"


def _line(name: str, labels: Mapping[str, str], value: float, at: float) -> tuple[str, str]:
    return name, f"{name}{{{_labels(labels)}}} {value:g} {round(at * 1000)}"


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())
