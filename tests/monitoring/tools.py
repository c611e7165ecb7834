"""Shared by the monitoring tests: the rules as data, an example stack, and the files of its machines."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.monitoring.machines import FILES, Monitored, Receiver, alertmanager_yml, in_base64

EXAMPLE = Monitored(
    app="solos-prod",
    monitor="solos-prod-monitor",
    org="sol-labs",
    hostname="solos-prod.fly.dev",
    sink="loki",
    sink_url="https://logs.example",
)
WEBHOOKS = alertmanager_yml(
    page=Receiver(kind="webhook", secret="https://page.example/hook"),
    ticket=Receiver(kind="webhook", secret="https://ticket.example/hook"),
    heartbeat="https://heartbeat.example/solos",
)
SECRETS = {"FILE_FLY_METRICS_TOKEN": in_base64("fm2_readonly"), "FILE_ALERTMANAGER_YML": in_base64(WEBHOOKS)}


@dataclass(frozen=True)
class Alert:
    name: str
    group: str
    """The rule file's name without its ending."""
    rule: Mapping[str, Any]


def alerts() -> list[Alert]:
    return [
        Alert(rule["alert"], path.stem, rule)
        for path in sorted(FILES.glob("rules/*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def expressions() -> list[str]:
    """The queries of all rules, recorded series included, without their line breaks."""
    return [" ".join(rule["expr"].split()) for rule in _rules()]


def records() -> list[str]:
    """The queries of recorded series."""
    return [" ".join(rule["expr"].split()) for rule in _rules() if "record" in rule]


def _rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(FILES.glob("rules/*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def unpack(config: Mapping[str, Any], root: Path, secrets: Mapping[str, str] = SECRETS) -> Path:
    """Lays a machine's files out under `root` as Fly does under /, and gives `root` back."""
    for file in config["files"]:
        content = file["raw_value"] if "raw_value" in file else secrets[file["secret_name"]]
        path = root / file["guest_path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
    return root
