"""A monitor for the stack of a test."""

from harness.program import Stack, encrypted
from rehearsal.cloud.fly.programs import PROGRAMS

MONITOR = [program.binary for program in PROGRAMS.values() if program.port]
"""The programs of the monitor, by their names here."""


def watch(stack: Stack, control: str, *, logs: bool = True, **monitoring: str) -> None:
    """Give the stack a monitor, whose pages, tickets, heartbeats and log lines go to the control address."""
    secrets = {name: f"{control}/receivers/{name}" for name in ("page", "ticket")}
    secrets |= {"heartbeat": f"{control}/receivers/deadman", "metricsToken": "fm2_readonly"}
    secrets |= {"sinkToken": "sink"} if logs else {}
    about_logs = {"sink": "loki", "sinkUrl": control, "sinkUser": "solos"} if logs else {"logs": "false"}
    stack.configure(
        monitoring={"page": "webhook", "ticket": "webhook", **about_logs, **monitoring},
        monitoringSecrets={name: encrypted(value) for name, value in secrets.items()},
    )
