"""The machines of the monitor: image, files, environment and check of each. Pure functions.

The files of `monitoring/` are used as they are, except `prometheus.yml` and `alertmanager.yml`, which are templates. No machine has
an address, a service or a volume: Fly stores the metrics, and rules and routes are in the machine config.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from textwrap import indent
from typing import Any

import msgspec
import yaml

from components.config import Confidential
from components.stack_file import LOADER

FILES = Path(__file__).resolve().parents[2] / "monitoring"
FLY_LOG_STREAM = "nats://[fdaa::3]:4223"
READABLE_BY_ALL = 0o444
"""The images run as an unprivileged user."""
RECEIVERS = ("webhook", "slack", "pagerduty")
SINKS = ("loki", "http")
LOGS_JOB = "logs"

SERIES = r"([a-z_]+)\{"
EVENTS = frozenset(
    {
        "fly_instance_exit_code",
        "fly_instance_exit_oom",
        "litestream_checkpoint_error_count",
        "litestream_compaction_verify_error_count",
        "litestream_last_validation_success_timestamp_seconds",
        "litestream_replica_operation_total",
    }
)
"""Series that do not exist before an exit, an error, an upload, or the first verification after five minutes."""

IMAGES = {
    "prometheus": "prom/prometheus:v3.9.1@sha256:1f0f50f06acaceb0f5670d2c8a658a599affe7b0d8e78b898c1035653849a702",
    "alertmanager": "prom/alertmanager:v0.32.1@sha256:51a825c2a40acc3e338fdd00d622e01ec090f72be2b3ea46be0839cd47a4d286",
    "blackbox": "prom/blackbox-exporter:v0.28.0@sha256:e753ff9f3fc458d02cca5eddab5a77e1c175eee484a8925ac7d524f04366c2fc",
    "logs": "telegraf:1.37-alpine@sha256:d1a485308163ea51f8a07b659a71cba8e1eddcaf8473a25c00e34e363e8b3775",
}
"""The official images. The digests are those of the image indexes, so they are the same for every architecture:
`docker buildx imagetools inspect NAME:TAG` prints them as `Digest`."""


class Monitored(msgspec.Struct, frozen=True, kw_only=True):
    """The app that is monitored, and how."""

    app: str
    monitor: str
    """Name of the monitor's app."""
    org: str
    hostname: str
    health_path: str = "/health"
    healthy_body: str = ""
    """Text that a healthy response contains, whatever the release; empty for any response."""
    sqlite: bool = True
    """Whether the database is SQLite on a volume, which has rules of its own."""
    replica: bool = True
    """Whether Litestream replicates it, which has rules of its own."""
    logs: bool = True
    """Whether there is a machine that reads the log stream."""
    sink: str | None = None
    """Where log lines are sent, one of SINKS; None for nowhere."""
    sink_url: str = ""
    sink_user: str = ""


class Receiver(Confidential, frozen=True, kw_only=True):
    """Where notifications are sent: `kind` is one of RECEIVERS, `secret` is its URL or key."""

    kind: str
    secret: str


def machines(monitored: Monitored) -> dict[str, dict[str, Any]]:
    """The machine configs without the image, by machine name, which is also the process group."""
    declared = {
        "prometheus": _machine(
            "prometheus",
            port=9090,
            path="/-/healthy",
            memory_mb=512,
            # Prometheus does not listen on IPv6, the private network, by default. The delay is its default, and is stated because
            # the drill depends on it: an alert that fires before Alertmanager is discovered is resent after it.
            cmd=[
                "--config.file=/etc/prometheus/prometheus.yml",
                "--web.listen-address=:9090",
                "--storage.tsdb.path=/prometheus",
                "--storage.tsdb.retention.time=7d",
                "--rules.alert.resend-delay=1m",
            ],
            files=[
                _file("/etc/prometheus/prometheus.yml", prometheus_yml(monitored)),
                *(_file(f"/etc/prometheus/rules/{rule.name}", rule.read_text()) for rule in rules(monitored)),
                _secret_file("/etc/prometheus/secrets/fly-metrics-token", "FILE_FLY_METRICS_TOKEN"),
            ],
        ),
        "alertmanager": _machine(
            "alertmanager",
            port=9093,
            path="/-/healthy",
            cmd=[
                "--config.file=/etc/alertmanager/alertmanager.yml",
                "--storage.path=/alertmanager",
                "--cluster.listen-address=",
                "--log.level=debug",  # It logs each delivery, which the drill looks for.
            ],
            files=[_secret_file("/etc/alertmanager/alertmanager.yml", "FILE_ALERTMANAGER_YML")],
        ),
        "blackbox": _machine(
            "blackbox",
            port=9115,
            path="/-/healthy",
            cmd=["--config.file=/etc/blackbox_exporter/config.yml"],
            files=[_file("/etc/blackbox_exporter/config.yml", blackbox_yml(monitored))],
        ),
        "logs": _machine(
            "logs",
            port=9598,
            path="/metrics",
            cmd=[
                "telegraf",
                "--config=/etc/telegraf/telegraf.conf",
                "--config-directory=/etc/telegraf/telegraf.d",
            ],
            files=[
                _file("/etc/telegraf/telegraf.conf", (FILES / "telegraf.conf").read_text()),
                _file("/etc/telegraf/telegraf.d/sink.conf", _sink(monitored)),
            ],
            env={
                "NATS_URL": FLY_LOG_STREAM,
                "APP": monitored.app,
                "MONITOR": monitored.monitor,
                "METRICS_ADDRESS": ":9598",
                "LOG_SINK_URL": monitored.sink_url,
                "LOG_SINK_USER": monitored.sink_user,
            },
        ),
    }
    return {name: declared[name] for name in names(logs=monitored.logs)}


def names(*, logs: bool) -> list[str]:
    """The names of the machines."""
    return [name for name in IMAGES if logs or name != LOGS_JOB]


def sources(*, logs: bool) -> list[str]:
    """The scrape jobs of prometheus.yml."""
    jobs = re.findall(r"(?m)^  - job_name: (\w+)$", (FILES / "prometheus.yml").read_text())
    return [job for job in jobs if logs or job != LOGS_JOB]


def rules(monitored: Monitored) -> list[Path]:
    """The rule files of the parts that the stack has."""
    parts = {
        "volume.yml": monitored.sqlite,
        "backup.yml": monitored.replica,
        "logs.yml": monitored.logs,
        "sink.yml": monitored.sink is not None,
    }
    return [rule for rule in sorted(FILES.glob("rules/*.yml")) if parts.get(rule.name, True)]


def needed_series(monitored: Monitored) -> dict[str, list[str]]:
    """By alert: the series without which it cannot fire. Those that only an event brings are left out."""
    declared = [
        rule
        for file in rules(monitored)
        for group in yaml.load(file.read_text(), LOADER)["groups"]  # noqa: S506 (it is a safe one)
        for rule in group["rules"]
    ]
    recorded = {rule["record"]: rule["expr"] for rule in declared if "record" in rule}

    def series(query: str) -> set[str]:
        names = set(re.findall(SERIES, query)) - EVENTS
        return {name for name in names if ":" not in name}.union(
            *(series(expr) for name, expr in recorded.items() if name in query and expr != query)
        )

    return {rule["alert"]: sorted(series(rule["expr"])) for rule in declared if "alert" in rule}


def prometheus_yml(monitored: Monitored) -> str:
    template = (FILES / "prometheus.yml").read_text()
    if not monitored.logs:
        template = template.partition(f"  - job_name: {LOGS_JOB}\n")[0]  # It is the last job.
    return Template(template).substitute(
        app=monitored.app,
        monitor=monitored.monitor,
        org=monitored.org,
        hostname=monitored.hostname,
        health_path=monitored.health_path,
    )


def blackbox_yml(monitored: Monitored) -> str:
    module = (FILES / "blackbox.yml").read_text()
    if not monitored.healthy_body:
        return module
    return f"{module}      fail_if_body_not_matches_regexp: [{json.dumps(re.escape(monitored.healthy_body))}]\n"


def alertmanager_yml(*, page: Receiver, ticket: Receiver, heartbeat: str, repository: str = "") -> str:
    """Routes and receivers. It contains the receivers' secrets, so the whole file is a secret.

    `repository` is the URL prefix of runbook links, for example `https://github.com/acme/launch/blob/main/`.
    """
    receivers = {"page": page, "ticket": ticket, "deadman": Receiver(kind="heartbeat", secret=heartbeat)}
    rendered = "".join(
        f"  - name: {name}\n{indent(_receiver(receiver, repository), '    ')}" for name, receiver in receivers.items()
    )
    return f"{(FILES / 'alertmanager.yml').read_text()}receivers:\n{rendered}"


def in_base64(text: str) -> str:
    """A file's content as machine configs take it, in `raw_value` or in the secret that `secret_name` names."""
    return base64.b64encode(text.encode()).decode()


def _receiver(receiver: Receiver, repository: str) -> str:
    template = Template((FILES / "receivers" / f"{receiver.kind}.yml").read_text())
    return template.substitute(secret=json.dumps(receiver.secret), repository=repository)


def _sink(monitored: Monitored) -> str:
    if monitored.sink is None:
        return "# No sink is configured. Fly keeps log lines for 7 days.\n"
    return (FILES / "sinks" / f"{monitored.sink}.conf").read_text()


def _machine(
    name: str,
    *,
    port: int,
    path: str,
    cmd: Iterable[str],
    files: Iterable[Mapping[str, Any]],
    memory_mb: int = 256,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    check = {"type": "http", "port": port, "path": path, "interval": "15s", "timeout": "5s", "grace_period": "20s"}
    return {
        "init": {"cmd": list(cmd)},
        "env": dict(env or {}),
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": memory_mb},
        "restart": {"policy": "always"},
        "metadata": {"fly_process_group": name, "fly_platform_version": "v2"},
        "files": list(files),
        "checks": {"alive": check},
    }


def _file(path: str, content: str) -> dict[str, Any]:
    return {"guest_path": path, "raw_value": in_base64(content), "mode": READABLE_BY_ALL}


def _secret_file(path: str, secret: str) -> dict[str, Any]:
    return {"guest_path": path, "secret_name": secret, "mode": READABLE_BY_ALL}
