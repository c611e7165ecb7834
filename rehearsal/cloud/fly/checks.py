"""Health checks of a machine: a real request to its process, at the check's interval, for the version that runs (fly.md, 6.8)."""

from collections.abc import Iterator

from rehearsal.cloud.fly.formats import rfc3339
from rehearsal.cloud.fly.machine_config import seconds_of
from rehearsal.cloud.fly.runtime import Runtime, Unanswered
from rehearsal.cloud.store import Document

INTERVAL, TIMEOUT, GRACE = 10.0, 2.0, 5.0
"""Seconds, where the check says nothing."""


def run_due(machine: Document, runtime: Runtime, now: float, most_seconds: float) -> bool:
    """Run every check whose time has come, and write its result into the machine; whether there was one. Intervals are cut to
    `most_seconds`.

    A check has no result before it has run for this start of the machine."""
    results = {check["name"]: check for check in machine["checks"]}
    ran = False
    for name, port, check in of_config(machine["config"]):
        known = results.get(name)
        pause = min(_seconds(check, "interval", INTERVAL), most_seconds)
        if now < (known["_ran_at"] if known else machine["_checks_at"]) + pause:
            continue
        status, output = _ask(machine["id"], runtime, port, check)
        if status == "critical" and now < machine["_checks_at"] + _seconds(check, "grace_period", GRACE):
            status = "warning"
        results[name] = {"name": name, "status": status, "output": output, "updated_at": rfc3339(now), "_ran_at": now}
        ran = True
    machine["checks"] = list(results.values())
    return ran


def of_config(config: Document) -> Iterator[tuple[str, int, Document]]:
    """Name, port and definition of each check of a config; service checks are numbered over all services."""
    number = 0
    for service in config.get("services") or ():
        for check in service.get("checks") or ():
            port = check.get("port") or service["internal_port"]
            yield f"servicecheck-{number:02d}-{check['type']}-{port}", port, check
            number += 1
    for name, check in (config.get("checks") or {}).items():
        yield name, check["port"], check


def routable(machine: Document) -> bool:
    """Whether the proxy sends requests to it: started, not cordoned, and no service or readiness check is failing."""
    ready = {
        name for name, check in (machine["config"].get("checks") or {}).items() if check.get("kind") == "readiness"
    }
    decisive = [
        check for check in machine["checks"] if check["name"].startswith("servicecheck-") or check["name"] in ready
    ]
    failing = any(check["status"] == "critical" for check in decisive)
    return machine["state"] == "started" and not machine["cordoned"] and not failing


def _ask(id: str, runtime: Runtime, port: int, check: Document) -> tuple[str, str]:
    timeout = _seconds(check, "timeout", TIMEOUT)
    try:
        method = (check.get("method") or "GET").upper()
        answer = runtime.ask(id, port, method, check.get("path") or "/", seconds=timeout)
    except Unanswered as unanswered:
        return "critical", str(unanswered)
    if check["type"] == "tcp":
        return "passing", "Success"
    return ("passing" if 200 <= answer.status < 300 else "critical"), answer.body.decode(errors="replace")[:1000]


def _seconds(check: Document, name: str, default: float) -> float:
    return seconds_of(check[name]) if check.get(name) else default
