"""The monitor's settings in a rehearsal: receivers of pages, heartbeats and log lines, and waivers if its programs are missing."""

from typing import Any

from checklist import operations
from rehearsal.cloud.fly.programs import PROGRAMS
from rehearsal.stack import RehearsalStack

SPEED = 30
"""The monitor's intervals are divided by this, so that a drill of 90 seconds takes 3. With more, scrapes of a busy computer time out."""

METRICS_TOKEN = "fm2_readonly"
"""The token with which the monitor reads metrics and logs from Fly."""


def receivers(stack: RehearsalStack, control: str) -> dict[str, Any]:
    """The monitor's settings, with the control address as the service that gets pages, heartbeats and log lines.

    Empty for a stack with `monitoring: {}`, which has no monitor.
    """
    if stack.config.get("monitoring") == {}:
        return {}
    secrets = {name: f"{control}/receivers/{name}" for name in ("page", "ticket")}
    secrets |= {"heartbeat": f"{control}/receivers/deadman", "metricsToken": METRICS_TOKEN, "sinkToken": "sink"}
    return {
        "monitoring": stack.config.get("monitoring", {})
        | {"page": "webhook", "ticket": "webhook", "sink": "loki", "sinkUrl": control, "sinkUser": "rehearsal"},
        "monitoringSecrets": {name: stack.encrypted(value) for name, value in secrets.items()},
    }


def missing_programs() -> dict[str, str]:
    """The monitor's programs that are not installed on this computer, by image repository."""
    return {repository: program.binary for repository, program in PROGRAMS.items() if program.path() is None}


def without_logs(monitoring: dict[str, Any], secrets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same settings without the log machine."""
    kept = {key: value for key, value in monitoring.items() if not key.startswith("sink")}
    return {**kept, "logs": "false"}, {key: value for key, value in secrets.items() if key != "sinkToken"}


def waived(config: dict[str, Any]) -> dict[str, Any]:
    """Settings that turn off and waive the rows that need a program that is not installed; prints which."""
    missing = missing_programs() if config.get("monitoring") else {}
    if not missing:
        return {}
    monitoring, secrets = dict(config.get("monitoring", {})), dict(config.get("monitoringSecrets", {}))
    rows = [operations.logging]
    if "telegraf" in missing:
        monitoring, secrets = without_logs(monitoring, secrets)
    if missing.keys() - {"telegraf"}:
        monitoring["drill"] = "false"
        rows = [operations.logging, operations.monitoring, operations.alerting]
    reason = f"not installed: {', '.join(sorted(missing.values()))}; `make monitoring-tools` installs what it can"
    print(f"Not rehearsed: {', '.join(row.key for row in rows)} ({reason}).\n", flush=True)
    waivers = {
        **config.get("waivers", {}),
        **{row.key: {"reason": reason, "by": "this rehearsal"} for row in rows},
    }
    return {"monitoring": monitoring, "monitoringSecrets": secrets, "waivers": waivers}
