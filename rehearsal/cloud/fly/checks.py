"""Health checks of a machine: a real request to its process, at the interval of the check."""

from collections.abc import Iterator

from rehearsal.cloud.fly.formats import rfc3339
from rehearsal.cloud.fly.machine_config import seconds_of
from rehearsal.cloud.fly.runtime import NoResponse, Runtime
from rehearsal.cloud.store import Document

INTERVAL, TIMEOUT, GRACE = 10.0, 2.0, 5.0
"""Defaults, in seconds."""


def run_due(machine: Document, runtime: Runtime, now: float, max_seconds: float) -> bool:
    """Run every check that is due and store its result in the machine. Returns whether a check ran.

    Intervals are at most `max_seconds`. A check has no result until it has run after the current start of the machine."""
    results = {check["name"]: check for check in machine["checks"]}
    ran = False
    for name, port, check in of_config(machine["config"]):
        known = results.get(name)
        pause = min(_seconds(check, "interval", INTERVAL), max_seconds)
        if now < (known["_ran_at"] if known else machine["_checks_at"]) + pause:
            continue
        status, output = _probe(machine["id"], runtime, port, check)
        if status == "critical" and now < machine["_checks_at"] + _seconds(check, "grace_period", GRACE):
            status = "warning"
        results[name] = {"name": name, "status": status, "output": output, "updated_at": rfc3339(now), "_ran_at": now}
        ran = True
    machine["checks"] = list(results.values())
    return ran


def of_config(config: Document) -> Iterator[tuple[str, int, Document]]:
    """Name, port and definition of each check in a config. Service checks are numbered across all services."""
    number = 0
    for service in config.get("services") or ():
        for check in service.get("checks") or ():
            port = check.get("port") or service["internal_port"]
            yield f"servicecheck-{number:02d}-{check['type']}-{port}", port, check
            number += 1
    for name, check in (config.get("checks") or {}).items():
        yield name, check["port"], check


def routable(machine: Document, *, until_signalled: bool) -> bool:
    """Whether the proxy routes to the machine: started, not cordoned, no service check or readiness check is critical.

    With `until_signalled`, also to the previous version during an update, as long as it has not got its signal."""
    ready = {
        name for name, check in (machine["config"].get("checks") or {}).items() if check.get("kind") == "readiness"
    }
    routing_checks = [
        check for check in machine["checks"] if check["name"].startswith("servicecheck-") or check["name"] in ready
    ]
    failing = any(check["status"] == "critical" for check in routing_checks)
    is_signalled = machine.get("_signalled_at", 0.0) >= machine["_since"]
    is_served = machine["state"] == "started" or (
        until_signalled and machine["state"] == "replacing" and not is_signalled
    )
    return is_served and not machine["cordoned"] and not failing


def _probe(id: str, runtime: Runtime, port: int, check: Document) -> tuple[str, str]:
    timeout = _seconds(check, "timeout", TIMEOUT)
    try:
        method = (check.get("method") or "GET").upper()
        response = runtime.ask(id, port, method, check.get("path") or "/", seconds=timeout)
    except NoResponse as error:
        return "critical", str(error)
    if check["type"] == "tcp":
        return "passing", "Success"
    return ("passing" if 200 <= response.status < 300 else "critical"), response.body.decode(errors="replace")[:1000]


def _seconds(check: Document, name: str, default: float) -> float:
    return seconds_of(check[name]) if check.get(name) else default
