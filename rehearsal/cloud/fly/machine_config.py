"""The machine config: what Fly accepts, and how it shows it. See `infra-docs/vendors/fly.md`."""

import re
from collections.abc import Sequence
from typing import Any

from rehearsal.cloud.fly.bodies import refused
from rehearsal.cloud.store import Document

PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
SIGNALS = {"SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM"}
CPUS = {"shared": (1, 2, 4, 6, 8), "performance": (1, 2, 4, 6, 8, 10, 12, 14, 16)}
MEMORY_PER_CPU = {"shared": (256, 2048), "performance": (2048, 8192)}
DURATIONS = ("interval", "timeout", "grace_period")
MAX_CHECK_SECONDS = 60.0


def seconds_of(duration: str | float) -> float:
    """A Go duration, or nanoseconds, in seconds. Raises Refusal 400."""
    if isinstance(duration, int | float):
        return duration / 1e9
    parts = PART.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise refused(f'time: invalid duration "{duration}"')
    return float(sum(float(number) * UNITS[unit] for number, unit in parts))


def check(config: Document) -> None:
    """Raise Refusal 400 for a config that Fly refuses for any machine."""
    if not config.get("image"):
        raise refused("invalid_argument: config.image is required")
    _check_guest(config.get("guest") or {})
    _check_mounts(config.get("mounts") or ())
    _check_lifecycle(config.get("restart") or {}, config.get("stop_config") or {})
    for file in config.get("files") or ():
        given = [name for name in ("raw_value", "secret_name", "image_config") if file.get(name)]
        if not str(file.get("guest_path", "")).startswith("/") or len(given) != 1:
            raise refused("invalid_argument: a file needs an absolute guest_path and one of raw_value and secret_name")
    for service in config.get("services") or ():
        _check_service(service)
    for name, health_check in (config.get("checks") or {}).items():
        _check_health_check(health_check, f"checks.{name}")
        if not health_check.get("port"):
            raise refused(f"invalid_argument: checks.{name} needs a port")


def shown(config: Document) -> Document:
    """The config as responses contain it: booleans for `autostop`, durations as Go writes them, guest defaults filled in."""
    normalized: Document = _normalized(config, "")
    guest = {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256, **(normalized.get("guest") or {})}
    return {"init": {}, **normalized, "guest": guest}


def _check_guest(guest: Document) -> None:
    kind, cpus, memory = guest.get("cpu_kind", "shared"), guest.get("cpus", 1), guest.get("memory_mb", 256)
    if kind not in MEMORY_PER_CPU:
        raise refused(f"invalid_argument: invalid cpu_kind {kind!r}")
    if cpus not in CPUS[kind]:
        raise refused(f"invalid_argument: invalid number of CPUs: {cpus}")
    lowest, highest = (amount * cpus for amount in MEMORY_PER_CPU[kind])
    if memory % 256 or not lowest <= memory <= highest:
        raise refused(
            f"invalid_argument: invalid config.guest.memory_mb: {memory}, must be from {lowest} to {highest} by 256"
        )


def _check_mounts(mounts: Sequence[Document]) -> None:
    if len(mounts) > 1:
        raise refused("invalid_argument: a machine can only have 1 mount")
    for mount in mounts:
        if not str(mount.get("path", "")).startswith("/") or not mount.get("volume"):
            raise refused("invalid_argument: a mount needs a volume and an absolute path")
        if mount.get("add_size_gb") and mount.get("add_size_percent"):
            raise refused("invalid_argument: add_size_gb and add_size_percent are mutually exclusive")


def _check_lifecycle(restart: Document, stop: Document) -> None:
    policy = restart.get("policy", "on-failure")
    if policy not in ("no", "always", "on-failure"):
        raise refused(f"invalid_argument: unknown restart policy {policy!r}")
    if stop.get("signal") and stop["signal"] not in SIGNALS:
        raise refused(f"invalid_argument: unknown signal {stop['signal']!r}")
    if stop.get("timeout") and seconds_of(stop["timeout"]) > 300:
        raise refused("invalid_argument: stop_config.timeout must be at most 5m")


def _check_service(service: Document) -> None:
    if service.get("protocol") not in ("tcp", "udp") or not 1 <= (service.get("internal_port") or 0) <= 65535:
        raise refused("invalid_argument: a service needs a protocol (tcp or udp) and an internal_port")
    if service.get("autostop") not in (None, False, True, "off", "stop", "suspend"):
        raise refused(f"invalid_argument: invalid autostop {service['autostop']!r}")
    for port in service.get("ports") or ():
        unknown = set(port.get("handlers") or ()) - {"http", "tls", "pg_tls", "proxy_proto", "edge_http"}
        if unknown:
            raise refused(f"invalid_argument: unknown handler {min(unknown)!r}")
    for check in service.get("checks") or ():
        _check_health_check(check, "services.checks")
        for name in ("interval", "timeout"):
            if check.get(name) and seconds_of(check[name]) > MAX_CHECK_SECONDS:
                check[name] = "1m0s"


def _check_health_check(check: Document, where: str) -> None:
    if check.get("type") not in ("http", "tcp"):
        raise refused(f"invalid_argument: {where}.type must be http or tcp")
    for name in DURATIONS:
        if check.get(name):
            seconds_of(check[name])
    if check.get("kind") not in (None, "informational", "readiness"):
        raise refused(f"invalid_argument: {where}.kind must be informational or readiness")


def _normalized(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        verbatim = key in ("env", "metadata")
        return {name: item if verbatim else _normalized(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_normalized(item, key) for item in value]
    if key == "autostop":
        return {"off": False, "stop": True}.get(value, value) if isinstance(value, str) else value
    if key in DURATIONS:
        return _go_duration(seconds_of(value))
    return value


def _go_duration(seconds: float) -> str:
    """As Go's `Duration.String` writes it: 1m30s, 15s, 500ms."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return (f"{hours:g}h" if hours else "") + (f"{minutes:g}m" if hours or minutes else "") + f"{rest:g}s"
