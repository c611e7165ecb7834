"""Whether two machine configs are equal, and in which fields they differ. Pure.

Fly returns a config in another form than it was sent: durations in other units, `autostop` as a boolean, defaults filled in,
handlers in another order. flyctl adds metadata on each deploy. Configs are normalised before they are compared, so that
`fly deploy` with the same fly.toml is not a difference, and everything else is.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from providers.fly.api import config_view
from providers.fly.api.durations import seconds_of

Config = Mapping[str, Any]
Path = tuple[str, ...]

SECRETS_VERSION = "pulumi_secrets_version"
"""Metadata key for the secrets version that the machine was created or updated with: Fly does not show it."""
REVISION = "pulumi_revision"
"""Metadata key for the hash of the config itself: a config with a valid hash was sent by us, and nobody has changed it since."""
INJECTED_METADATA = frozenset(
    {
        *("fly_release_id", "fly_release_version", "fly_flyctl_version", "fly_builder_id", "fly_previous_alloc"),
        *(SECRETS_VERSION, REVISION),
    }
)
RESTORE_REQUIRED = "RESTORE_REQUIRED"
"""A variable in the environment of a machine whose volume was lost: its entry point must not begin with an empty database. We add
it to the machine, so it is no difference (monitoring/with-replica reads it)."""
PLATFORM_METADATA = {"fly_platform_version": "v2"}
"""`fly deploy` and `fly scale` ignore machines without it."""
NOT_COMPARED = frozenset(
    {("image",), ("size",), ("mounts", "[]", "volume"), ("mounts", "[]", "encrypted"), ("mounts", "[]", "size_gb")}
)
"""Compared separately (`image`, `volume`), deprecated (`size`), or added by Fly."""

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
    ("statics", "[]"): {"tigris_bucket": "", "index_document": ""},
    ("checks", "*"): {**CHECK_DEFAULTS, "kind": "informational"},
    ("mounts", "[]"): {"extend_threshold_percent": 0, "add_size_gb": 0, "size_gb_limit": 0},
}
DURATIONS = frozenset({"interval", "timeout", "grace_period"})
UNORDERED = {"ports": ("port", "start_port"), "headers": ("name",), "files": ("guest_path",)}
"""Lists whose order has no meaning, and the fields to sort them by."""
CAPPED = frozenset({"interval", "timeout"})
MAX_SERVICE_CHECK_SECONDS = 60.0
"""Fly caps these fields of service checks at a minute, and returns the capped value."""


def differences(declared: Config, actual: Config) -> list[str]:
    """The paths (`env.LOG_LEVEL`, `services[0].checks[0].path`) in which `actual` differs."""
    wanted, found = _normal(_relevant(declared, declared), ()), _normal(_relevant(declared, actual), ())
    return [_describe(path) for path, _, _ in _changes(wanted, found, ())]


def as_declared(declared: Config, actual: Config) -> config_view.Config:
    """`actual` in the form of `declared`: equal parts as declared, different parts as they are."""
    merged: config_view.Config = _in_form_of(declared, _relevant(declared, actual), ())
    return merged


def complete(
    config: Config, *, image: str, volume_id: str | None, running: Config, metadata: Mapping[str, str]
) -> config_view.Config:
    """The config to send to Fly for `config`: complete, because an update replaces everything.

    Without a declared guest the running machine keeps its own, as with `fly deploy`. `metadata` is added.
    """
    sent = {**config, "image": image, "metadata": {**config.get("metadata", {}), **metadata}}
    if "guest" not in sent and running.get("guest"):
        sent["guest"] = running["guest"]
    if volume_id:
        sent["mounts"] = [{**mount, "volume": volume_id} for mount in config.get("mounts", ())]
    return sent


def revision(config: Config, image: str, secrets_version: int | None) -> str:
    """A short hash that changes exactly when config, image or secrets change."""
    text = json.dumps([_normal(config, ()), image, secrets_version], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def signed(config: Config) -> config_view.Config:
    """The config with its own hash in its metadata."""
    return {**config, "metadata": {**(config.get("metadata") or {}), REVISION: _own_hash(config)}}


def is_signed(config: Config) -> bool:
    """Whether we sent this config, and nobody has changed it since."""
    return (config.get("metadata") or {}).get(REVISION) == _own_hash(config)


def have_same_signature(one: Config, other: Config) -> bool:
    """Whether both are the same config, sent by us."""
    return is_signed(one) and (one.get("metadata") or {})[REVISION] == (other.get("metadata") or {}).get(REVISION)


def _own_hash(config: Config) -> str:
    return revision(_relevant(config, config), str(config.get("image")), None)


def has_autostop(config: config_view.ConfigView) -> bool:
    """Whether Fly's proxy may stop the machine: then "stopped" is not a fault."""
    return any(_autostop(service.autostop) != "off" for service in config.services)


def _relevant(declared: Config, actual: Config) -> config_view.Config:
    """`actual` without what tools add, and without a guest that is not declared."""
    kept = {key: value for key, value in actual.items() if key != "guest" or "guest" in declared}
    if RESTORE_REQUIRED in (kept.get("env") or {}):
        kept["env"] = {key: value for key, value in kept["env"].items() if key != RESTORE_REQUIRED}
    kept["metadata"] = {
        key: value for key, value in (actual.get("metadata") or {}).items() if key not in INJECTED_METADATA
    }
    return kept


def _normal(value: Any, path: Path) -> Any:
    """`value` in a form in which equal values compare equal; None for a value that has no effect."""
    if path in NOT_COMPARED or value is None:
        return None
    key = path[-1] if path else ""
    if isinstance(value, Mapping):
        return _normal_table(value, path)
    if isinstance(value, list | tuple):
        items = [_normal(item, (*path, "[]")) for item in value]
        if key == "handlers":
            return sorted(items, key=str) or None
        if key in UNORDERED:
            items.sort(key=lambda item: [str(_get(item, name)).rjust(5) for name in UNORDERED[key]])
        return items or None
    if key in DURATIONS and len(path) > 1:
        return _normal_duration(value, is_capped=path[0] == "services" and key in CAPPED)
    if key == "autostop":
        return _autostop(value)
    if key in ("method", "signal"):
        return str(value).upper()
    return str(value) if path[:1] in (("env",), ("metadata",)) else value


def _normal_duration(value: Any, *, is_capped: bool) -> Any:
    try:
        seconds = seconds_of(value)
    except (TypeError, ValueError):
        return value  # Not a duration: it compares as it is.
    return min(seconds, MAX_SERVICE_CHECK_SECONDS) if is_capped else seconds


def _normal_table(table: Config, path: Path) -> config_view.Config | None:
    found = {key: _normal(item, (*path, key)) for key, item in table.items()}
    pattern = ("checks", "*") if len(path) == 2 and path[0] == "checks" else path
    defaults = DEFAULTS.get(pattern, {})
    if path == ("restart",) and found.get("policy") != "on-failure":
        defaults = {"max_retries": 0}
    return {key: item for key, item in found.items() if item is not None and item != defaults.get(key)} or None


def _get(item: Any, name: str) -> Any:
    return item.get(name, "") if isinstance(item, Mapping) else item


def _autostop(value: Any) -> str:
    return {True: "stop", False: "off", None: "off"}.get(value, str(value))


def _changes(left: Any, right: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if left == right:
        return
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted(left.keys() | right.keys()):
            yield from _changes(left.get(key), right.get(key), (*path, key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (item, other) in enumerate(zip(left, right, strict=True)):
            yield from _changes(item, other, (*path, f"[{index}]"))
    else:
        yield path, left, right


def _in_form_of(declared: Any, actual: Any, path: Path) -> Any:
    if _normal(declared, path) == _normal(actual, path):
        return declared
    if isinstance(declared, Mapping) and isinstance(actual, Mapping):
        wanted, found = _normal_table(declared, path) or {}, _normal_table(actual, path) or {}
        merged = {
            key: declared.get(key)
            if wanted.get(key) == found.get(key)
            else _in_form_of(declared.get(key), actual.get(key), (*path, key))
            for key in [*declared, *(key for key in actual if key not in declared)]
        }
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(declared, list) and isinstance(actual, list) and len(declared) == len(actual):
        return [_in_form_of(item, other, (*path, "[]")) for item, other in zip(declared, actual, strict=True)]
    return actual


def _describe(path: Path) -> str:
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".")
