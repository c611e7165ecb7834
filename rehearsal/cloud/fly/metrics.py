"""Fly's metrics of an app, as `/federate` returns them: the last sample of each series, with its timestamp.

Every value is measured: machines and exits from their documents, file systems from the folders of volumes, responses from the
counts of the proxy, and the metrics of the `metrics` section from the machine itself.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from rehearsal.cloud.fly.disks import Disks
from rehearsal.cloud.fly.machine_life import Machines
from rehearsal.cloud.fly.runtime import NoResponse, Runtime
from rehearsal.cloud.store import Document, Store

BLOCK = 4096
RECENT = 300.0
"""Seconds for which a sample is returned."""
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+\d+)?")
APP = re.compile(r'app="([^"]+)"')
NAMES = re.compile(r'__name__=~"([^"]+)"')


def of_app(app: str, machines: Machines, store: Store, now: float) -> Iterator[tuple[str, str]]:
    """Name and line of each series."""
    for status, count in (store.get("fly_edge", app) or {}).items():
        labels = {"app": app, "region": "sjc", "host": "a1b2", "status": status}
        yield _line("fly_edge_http_responses_count", labels, count, now)
    for limit, count in (store.get("fly_edge_seconds", app) or {}).items():
        labels = {"app": app, "region": "sjc", "host": "a1b2", "le": limit}
        yield _line("fly_edge_http_response_time_seconds_bucket", labels, count, now)
    for machine in machines.of_app(app):
        labels = {"app": app, "region": machine["region"], "host": "a1b2", "instance": machine["id"]}
        if machine["state"] == "started":
            yield _line("fly_instance_up", labels, 1, now)
            yield from _resources(machine, labels, machines.runtime, now)
            yield from _file_systems(machine, labels, store, machines.disks, now)
            yield from _own(machine, labels, machines.runtime, now)
        for event in machine["events"]:
            exit_event = (event.get("request") or {}).get("exit_event")
            if exit_event and event["timestamp"] / 1000 > now - RECENT:
                at = datetime.fromisoformat(exit_event["exited_at"]).timestamp()
                yield _line("fly_instance_exit_code", labels, exit_event["exit_code"], at)
                yield _line("fly_instance_exit_oom", labels, int(exit_event["oom_killed"]), at)
                break


def _resources(machine: Document, labels: Mapping[str, str], runtime: Runtime, now: float) -> Iterator[tuple[str, str]]:
    """Memory and CPU. The CPU counters begin at zero with the machine; here it is idle, and never throttled."""
    total = machine["config"].get("guest", {}).get("memory_mb", 256) << 20
    yield _line("fly_instance_memory_mem_total", labels, total, now)
    yield _line("fly_instance_memory_mem_available", labels, max(total - runtime.memory(machine["id"]), 0), now)
    idle = {**labels, "cpu_id": "0", "mode": "idle"}
    yield _line("fly_instance_cpu", idle, round((now - machine["_since"]) * 100), now)
    yield _line("fly_instance_cpu_throttle", labels, 0, now)


def wanted(match: str) -> tuple[str | None, "re.Pattern[str]"]:
    """The app and the metric names of a `match[]` selector."""
    app, names = APP.search(match), NAMES.search(match)
    return app[1] if app else None, re.compile(names[1] if names else ".*")


def _file_systems(
    machine: Document, labels: Mapping[str, str], store: Store, disks: Disks, now: float
) -> Iterator[tuple[str, str]]:
    for mount in machine["config"].get("mounts") or ():
        volume = store.get("fly_volume", mount["volume"]) or {"size_gb": 1}
        blocks = (volume["size_gb"] << 30) // BLOCK
        used = sum(file.stat().st_size for file in disks.volume(mount["volume"]).iterdir()) // BLOCK
        here = {**labels, "mount": mount["path"]}
        yield _line("fly_instance_filesystem_blocks", here, blocks, now)
        yield _line("fly_instance_filesystem_blocks_avail", here, max(blocks - used, 0), now)


def _own(machine: Document, labels: Mapping[str, str], runtime: Runtime, now: float) -> Iterator[tuple[str, str]]:
    endpoint = machine["config"].get("metrics")
    if not endpoint:
        return
    try:
        response = runtime.ask(machine["id"], endpoint["port"], "GET", endpoint.get("path") or "/metrics")
    except NoResponse:
        return
    for text in response.body.decode(errors="replace").splitlines():
        sample = SAMPLE.fullmatch(text)
        if sample:
            own = f"{sample['labels']}," if sample["labels"] else ""
            yield sample["name"], f"{sample['name']}{{{own}{_labels(labels)}}} {sample['value']} {round(now * 1000)}"


def _line(name: str, labels: Mapping[str, str], value: float, at: float) -> tuple[str, str]:
    return name, f"{name}{{{_labels(labels)}}} {value:g} {round(at * 1000)}"


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())
