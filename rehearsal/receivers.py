"""The monitor in a rehearsal: who receives its pages, heartbeats and log lines, and what cannot be proven without its programs."""

from typing import Any

from checklist import operations
from rehearsal.cloud.fly.programs import PROGRAMS
from rehearsal.stack import RehearsalStack

SPEED = 20
"""The monitor's intervals are divided by it: a drill that takes a minute and a half is over in seconds."""

METRICS_TOKEN = "fm2_readonly"
"""The token with which the monitor reads metrics and logs from Fly."""


def receivers(stack: RehearsalStack, control: str) -> dict[str, Any]:
    """The monitor's settings, with the control address in place of the services that get pages, heartbeats and log lines.

    A stack that says `solos:monitoring: {}` has no monitor, and stays as it is.
    """
    if stack.config.get("solos:monitoring") == {}:
        return {}
    secrets = {name: f"{control}/receivers/{name}" for name in ("page", "ticket")}
    secrets |= {"heartbeat": f"{control}/receivers/deadman", "metricsToken": METRICS_TOKEN, "sinkToken": "sink"}
    return {
        "solos:monitoring": stack.config.get("solos:monitoring", {})
        | {"page": "webhook", "ticket": "webhook", "sink": "loki", "sinkUrl": control, "sinkUser": "solos"},
        "solos:monitoringSecrets": {name: stack.encrypted(value) for name, value in secrets.items()},
    }


def missing_programs() -> dict[str, str]:
    """The monitor's programs that are not on this computer, by image repository."""
    return {repository: program.binary for repository, program in PROGRAMS.items() if program.path() is None}


def without_logs(monitoring: dict[str, Any], secrets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same settings without the log machine."""
    kept = {key: value for key, value in monitoring.items() if not key.startswith("sink")}
    return {**kept, "logs": "false"}, {key: value for key, value in secrets.items() if key != "sinkToken"}


def waived(config: dict[str, Any]) -> dict[str, Any]:
    """Settings that leave out, and waive, the rows that need a program that is not on this computer; prints which."""
    missing = missing_programs() if config.get("solos:monitoring") else {}
    if not missing:
        return {}
    monitoring, secrets = dict(config.get("solos:monitoring", {})), dict(config.get("solos:monitoringSecrets", {}))
    rows = [operations.logging]
    if "telegraf" in missing:
        monitoring, secrets = without_logs(monitoring, secrets)
    if missing.keys() - {"telegraf"}:
        monitoring["drill"] = "false"
        rows = [operations.logging, operations.monitoring, operations.alerting]
    reason = f"{', '.join(sorted(missing.values()))} not installed; `make monitoring-tools` installs what it can"
    print(f"Not rehearsed: {', '.join(row.key for row in rows)} ({reason}).\n", flush=True)
    waivers = {
        **config.get("solos:waivers", {}),
        **{row.key: {"reason": reason, "by": "this rehearsal"} for row in rows},
    }
    return {"solos:monitoring": monitoring, "solos:monitoringSecrets": secrets, "solos:waivers": waivers}
