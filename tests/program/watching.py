"""A monitor for the stack of a test."""

import functools

import yaml

from harness.program import ROOT, Stack
from project.crypter import Crypter

PASSPHRASE = "rehearsal"


def encrypted(text: str) -> dict[str, str]:
    """A secret value, as it stands in a stack file."""
    return {"secure": _crypter().encrypt(text)}


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


@functools.cache
def _crypter() -> Crypter:
    return Crypter.of(yaml.safe_load((ROOT / "Pulumi.rehearsal.yaml").read_text())["encryptionsalt"], PASSPHRASE)
