"""When two machine configs mean the same, and in which fields they differ. Pure.

Fly answers with another spelling than it was sent: durations in other units, `autostop` as a boolean, defaults filled in,
handlers in another order. flyctl adds metadata on each deploy. All of that is set aside before comparing, so that
`fly deploy` with the same fly.toml is no difference, and everything else is one (fly.md, sections 3.3, 6.9 and 17.3).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Config = Mapping[str, Any]
Path = tuple[str, ...]

SECRETS_VERSION = "pulumi_secrets_version"
"""Metadata key under which a machine carries the secrets version that it was made with: Fly itself does not show it."""
REVISION = "pulumi_revision"
"""Metadata key of a config's own hash: a config that still has the hash it was sent with was sent by a run of ours."""
INJECTED_METADATA = frozenset(
    {
        *("fly_release_id", "fly_release_version", "fly_flyctl_version", "fly_builder_id", "fly_previous_alloc"),
        *(SECRETS_VERSION, REVISION),
    }
)
PLATFORM_METADATA = {"fly_platform_version": "v2"}
"""Without it a machine is invisible to `fly deploy` and `fly scale`."""
NOT_COMPARED = frozenset(
    {("image",), ("size",), ("mounts", "[]", "volume"), ("mounts", "[]", "encrypted"), ("mounts", "[]", "size_gb")}
)
"""Compared apart (`image`, `volume`), deprecated (`size`), or told by Fly and never asked for."""

CHECK_DEFAULTS = {"method": "GET", "protocol": "http", "tls_skip_verify": False}
DEFAULTS: dict[Path, Config] = {
    (): {"auto_destroy": False},
    ("guest",): {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
    ("init",): {"tty": False},
    ("metrics",): {"https": False},
    ("restart",): {"policy": "on-failure", "max_retries": 10},
    ("services", "[]"): {"protocol": "tcp", "autostop": "off", "autostart": True, "min_machines_running": 0},
    ("services", "[]", "ports", "[]"): {"force_https": False},
    ("services", "[]", "checks", "[]"): CHECK_DEFAULTS,
    ("checks", "*"): {**CHECK_DEFAULTS, "kind": "informational"},
    ("mounts", "[]"): {"extend_threshold_percent": 0, "add_size_gb": 0, "size_gb_limit": 0},
}
DURATIONS = frozenset({"interval", "timeout", "grace_period"})
UNORDERED = {"ports": ("port", "start_port"), "headers": ("name",), "files": ("guest_path",)}
"""Lists without an order, and what tells their items apart."""
CUT = frozenset({"interval", "timeout"})
MOST_SERVICE_CHECK_SECONDS = 60.0
"""Fly cuts these of service checks to a minute, and shows them so."""
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
CPUS = {"shared": (1, 2, 4, 6, 8), "performance": (1, 2, 4, 6, 8, 10, 12, 14, 16)}
"""How many a machine can have, as flyctl's sizes are (fly.md names fewer)."""
MEMORY_PER_CPU = {"shared": (256, 2048), "performance": (2048, 8192)}


def seconds_of(duration: str | float) -> float:
    """A Go duration ("1m30s") in seconds; a bare number is nanoseconds, as in Fly's JSON. Raises ValueError."""
    if isinstance(duration, int | float):
        return round(duration * 1e-9, 9)
    parts = DURATION_PART.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is no duration: write it like 15s, 500ms or 1m30s")
    return round(sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts), 9)


def differences(declared: Config, actual: Config) -> list[str]:
    """The paths (`env.LOG_LEVEL`, `services[0].checks[0].path`) in which `actual` is not as declared."""
    wanted, found = _normal(_relevant(declared, declared), ()), _normal(_relevant(declared, actual), ())
    return [_spoken(path) for path, _, _ in _differing(wanted, found, ())]


def as_declared(declared: Config, actual: Config) -> dict[str, Any]:
    """`actual` in the spelling of `declared`: equal parts as they were declared, differing parts as they are."""
    merged: dict[str, Any] = _respelled(declared, _relevant(declared, actual), ())
    return merged


def complete(
    config: Config, *, image: str, volume_id: str | None, running: Config, metadata: Mapping[str, str]
) -> dict[str, Any]:
    """What is sent to Fly for `config`. An update replaces everything, so this is everything.

    Without a declared guest the running machine keeps its own, as with `fly deploy`. `metadata` is added.
    """
    sent = {**config, "image": image, "metadata": {**config.get("metadata", {}), **metadata}}
    if "guest" not in sent and running.get("guest"):
        sent["guest"] = running["guest"]
    if volume_id:
        sent["mounts"] = [{**mount, "volume": volume_id} for mount in config.get("mounts", ())]
    return sent


def revision(config: Config, image: str, secrets_version: int | None) -> str:
    """A short text that changes exactly when config, image or secrets change: what a verified rollout is a rollout of."""
    text = json.dumps([_normal(config, ()), image, secrets_version], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def signed(config: Config) -> dict[str, Any]:
    """The config with its own hash in its metadata."""
    return {**config, "metadata": {**(config.get("metadata") or {}), REVISION: _own_hash(config)}}


def is_signed(config: Config) -> bool:
    """Whether a run of ours sent this config, and nobody has changed it since."""
    return (config.get("metadata") or {}).get(REVISION) == _own_hash(config)


def have_same_signature(one: Config, other: Config) -> bool:
    """Whether both are the same config, sent by a run of ours."""
    return is_signed(one) and (one.get("metadata") or {})[REVISION] == (other.get("metadata") or {}).get(REVISION)


def _own_hash(config: Config) -> str:
    return revision(_relevant(config, config), str(config.get("image")), None)


def has_autostop(config: Config) -> bool:
    """Whether Fly's proxy may stop the machine by itself; then a stopped machine is as it should be."""
    return any(_autostop(service.get("autostop")) != "off" for service in config.get("services") or ())


def unhealthy_checks(config: Config, reported: list[dict[str, Any]]) -> list[str]:
    """What keeps the machine from being healthy: each configured check that is absent or not passing.

    Service checks are reported as `servicecheck-NN-<type>-<port>`; how NN counts over several services is not documented, so
    they are counted. Mirrors named `bg_deployments_compat…` are Fly's own.
    """
    named = dict(config.get("checks") or {})
    own = [check for check in reported if not check["name"].startswith("bg_deployments_compat")]
    of_services = [check for check in own if check["name"] not in named]
    expected = sum(len(service.get("checks") or ()) for service in config.get("services") or ())
    troubles = [
        f"{check['name']} is {check['status']} ({' '.join(str(check.get('output') or 'no output').split())[:120]})"
        for check in own
        if check["status"] != "passing"
    ]
    troubles += [f"{name} has no result yet" for name in named if name not in {check["name"] for check in own}]
    if len(of_services) < expected:
        troubles.append(f"{expected - len(of_services)} of {expected} service checks have no result yet")
    return troubles


def guest_problems(guest: Config) -> Iterator[str]:
    """Sentences on why Fly would refuse this guest."""
    kind, cpus, memory = guest.get("cpu_kind", "shared"), guest.get("cpus", 1), guest.get("memory_mb", 256)
    if kind not in MEMORY_PER_CPU:
        yield f"cpu_kind must be shared or performance, not {kind!r}"
        return
    if cpus not in CPUS[kind]:
        yield f"cpus of kind {kind} must be one of {', '.join(map(str, CPUS[kind]))}, not {cpus}"
        return
    least, most = (amount * cpus for amount in MEMORY_PER_CPU[kind])
    if memory % 256 or not least <= memory <= most:
        yield f"memory of {cpus} {kind} CPUs must be a multiple of 256 MB from {least} to {most}, not {memory}"


def _relevant(declared: Config, actual: Config) -> dict[str, Any]:
    """`actual` without what tools add by themselves, and without a guest that is not declared."""
    kept = {key: value for key, value in actual.items() if key != "guest" or "guest" in declared}
    kept["metadata"] = {
        key: value for key, value in (actual.get("metadata") or {}).items() if key not in INJECTED_METADATA
    }
    return kept


def _normal(value: Any, path: Path) -> Any:
    """`value` in the one spelling in which equal things are equal; None for what says nothing."""
    if path in NOT_COMPARED or value is None:
        return None
    key = path[-1] if path else ""
    if isinstance(value, Mapping):
        return _normal_table(value, path)
    if isinstance(value, list | tuple):
        items = [_normal(item, (*path, "[]")) for item in value]
        if key == "handlers":
            return sorted(items) or None
        if key in UNORDERED:
            items.sort(key=lambda item: [str(item.get(name, "")).rjust(5) for name in UNORDERED[key]])
        return items or None
    if key in DURATIONS and len(path) > 1:
        seconds = seconds_of(value)
        return min(seconds, MOST_SERVICE_CHECK_SECONDS) if path[0] == "services" and key in CUT else seconds
    if key == "autostop":
        return _autostop(value)
    if key in ("method", "signal"):
        return str(value).upper()
    return str(value) if path[:1] in (("env",), ("metadata",)) else value


def _normal_table(table: Config, path: Path) -> dict[str, Any] | None:
    found = {key: _normal(item, (*path, key)) for key, item in table.items()}
    pattern = ("checks", "*") if len(path) == 2 and path[0] == "checks" else path
    defaults = DEFAULTS.get(pattern, {})
    if path == ("restart",) and found.get("policy") != "on-failure":
        defaults = {"max_retries": 0}
    return {key: item for key, item in found.items() if item is not None and item != defaults.get(key)} or None


def _autostop(value: Any) -> str:
    return {True: "stop", False: "off", None: "off"}.get(value, str(value))


def _differing(left: Any, right: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if left == right:
        return
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted(left.keys() | right.keys()):
            yield from _differing(left.get(key), right.get(key), (*path, key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _differing(one, other, (*path, f"[{index}]"))
    else:
        yield path, left, right


def _respelled(declared: Any, actual: Any, path: Path) -> Any:
    if _normal(declared, path) == _normal(actual, path):
        return declared
    if isinstance(declared, Mapping) and isinstance(actual, Mapping):
        wanted, found = _normal_table(declared, path) or {}, _normal_table(actual, path) or {}
        merged = {
            key: declared.get(key)
            if wanted.get(key) == found.get(key)
            else _respelled(declared.get(key), actual.get(key), (*path, key))
            for key in [*declared, *(key for key in actual if key not in declared)]
        }
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(declared, list) and isinstance(actual, list) and len(declared) == len(actual):
        return [_respelled(one, other, (*path, "[]")) for one, other in zip(declared, actual, strict=True)]
    return actual


def _spoken(path: Path) -> str:
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".")
