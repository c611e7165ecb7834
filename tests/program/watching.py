"""A monitor for the stack of a test, and the machines of it in a test's hands."""

import functools
from typing import Any

import httpx
import yaml

from rehearsal.engine.crypter import Crypter
from tests.program.stack import ROOT, Stack, fly

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


def machines(addresses: dict[str, str]) -> dict[str, Any]:
    """Those of both apps, by name."""
    return {machine["name"]: machine for machine in fly(addresses)["fly_machine"]}


def act(addresses: dict[str, str], what: str, name: str) -> None:
    """`fly machine stop` or `start`, by the machine's name."""
    machine = machines(addresses)[name]
    path = f"{addresses['fly']}/v1/apps/{machine['_app']}/machines/{machine['id']}/{what}"
    httpx.post(path, headers={"Authorization": "Bearer fo1_rehearsal"}).raise_for_status()
