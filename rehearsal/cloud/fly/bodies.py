"""Checks request bodies as strictly as Go's decoder does with Fly's structs: unknown fields and wrong types are refused.

A shape is a type, `[shape]` for a list, `{"*": shape}` for a map, `{"field": shape, …}` for an object, or a tuple of
alternatives. `null` is the same as an absent value.
"""

from typing import Any

import msgspec
from werkzeug.wrappers import Request

from rehearsal.cloud.service import Refusal
from rehearsal.cloud.store import Document

Shape = Any

GO_NAMES = {str: "string", int: "int", bool: "bool", float: "float64"}
DURATION: Shape = (str, int)

GUEST: Shape = {
    "cpu_kind": str,
    "cpus": int,
    "memory_mb": int,
    "max_memory_mb": int,
    "gpu_kind": str,
    "gpus": int,
    "host_dedication_id": str,
    "kernel_args": [str],
    "persist_rootfs": str,
    "required_host_features": [str],
}
_CHECK: Shape = {
    "type": str,
    "port": int,
    "interval": DURATION,
    "timeout": DURATION,
    "grace_period": DURATION,
    "method": str,
    "path": str,
    "protocol": str,
    "headers": [{"name": str, "values": [str]}],
    "tls_server_name": str,
    "tls_skip_verify": bool,
}
_PORT: Shape = {
    "port": int,
    "start_port": int,
    "end_port": int,
    "handlers": [str],
    "force_https": bool,
    "tls_options": {"alpn": [str], "versions": [str], "default_self_signed": bool},
    "http_options": {
        "compress": bool,
        "h2_backend": bool,
        "headers_read_timeout": int,
        "idle_timeout": int,
        "response": {"headers": {"*": (str, bool, [str])}, "pristine": bool},
        "replay_cache": [{"*": (str, int, bool)}],
    },
    "proxy_proto_options": {"version": str, "fly_src": str},
}
_SERVICE: Shape = {
    "protocol": str,
    "internal_port": int,
    "ports": [_PORT],
    "checks": [_CHECK],
    "concurrency": {"type": str, "soft_limit": int, "hard_limit": int},
    "autostart": bool,
    "autostop": (bool, str),
    "min_machines_running": int,
    "force_instance_key": str,
    "force_instance_description": str,
}
MACHINE_CONFIG: Shape = {
    "image": str,
    "env": {"*": str},
    "metadata": {"*": str},
    "guest": GUEST,
    "size": str,
    "init": {
        "cmd": [str],
        "entrypoint": [str],
        "exec": [str],
        "kernel_args": [str],
        "swap_size_mb": int,
        "tty": bool,
    },
    "restart": {"policy": str, "max_retries": int},
    "mounts": [
        {
            "volume": str,
            "path": str,
            "name": str,
            "encrypted": bool,
            "size_gb": int,
            "extend_threshold_percent": int,
            "add_size_gb": int,
            "add_size_percent": int,
            "min_add_size_gb": int,
            "size_gb_limit": int,
        }
    ],
    "services": [_SERVICE],
    "checks": {"*": {**_CHECK, "kind": str}},
    "files": [{"guest_path": str, "raw_value": str, "secret_name": str, "image_config": str, "mode": int}],
    "metrics": {"port": int, "path": str, "https": bool},
    "stop_config": {"signal": str, "timeout": DURATION},
    "statics": [{"guest_path": str, "url_prefix": str, "tigris_bucket": str, "index_document": str}],
    "standbys": [str],
    "schedule": str,
    "auto_destroy": bool,
    "disable_machine_autostart": bool,
    "dns": {"skip_registration": bool, "nameservers": [str], "searches": [str], "hostname": str, "hostname_fqdn": str},
    "rootfs": {"persist": str, "size_gb": int},
    "cache_drive": {"size_mb": int},
    "spot": {"max_price_fraction": (float, int)},
}
"""`fly.MachineConfig` (fly-go, `machine_types.go`), without containers and processes, which a launch does not use."""


def read(request: Request, shape: Shape, struct: str) -> Document:
    """The JSON object in the request, checked against `shape`; `struct` is the name of Fly's struct in error texts.

    Raises Refusal 400. An empty body is an empty object.
    """
    sent = request.get_data()
    try:
        body = msgspec.json.decode(sent) if sent else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refused("invalid JSON") from None
    if not isinstance(body, dict):
        raise refused(f"json: cannot unmarshal {_go_kind(body)} into Go value of type {struct}")
    checked: Document = _checked(body, shape, struct, "")
    return checked


def refused(text: str) -> Refusal:
    """A 400 response."""
    return Refusal({"error": text, "status": "unknown"}, 400)


def _checked(value: Any, shape: Shape, struct: str, path: str) -> Any:
    if value is None:
        return None
    if isinstance(shape, tuple):
        if not any(_fits(value, option) for option in shape):
            raise _mismatch(value, shape[0], struct, path)
        return value
    if not _fits(value, shape):
        raise _mismatch(value, shape, struct, path)
    if isinstance(shape, list):
        return [_checked(item, shape[0], struct, path) for item in value]
    if isinstance(shape, dict):
        if "*" in shape:
            return {key: _checked(item, shape["*"], struct, f"{path}.{key}") for key, item in value.items()}
        for key in value:
            if key not in shape:
                raise refused(f'json: unknown field "{f"{path}.{key}".lstrip(".")}"')
        return {
            key: _checked(item, shape[key], struct, f"{path}.{key}") for key, item in value.items() if item is not None
        }
    return value


def _fits(value: Any, shape: Shape) -> bool:
    if isinstance(shape, list | dict):
        return isinstance(value, type(shape))
    return isinstance(value, shape) and not (isinstance(value, bool) and shape is not bool)


def _mismatch(value: Any, shape: Shape, struct: str, path: str) -> Refusal:
    wanted = (
        GO_NAMES.get(shape, "slice" if isinstance(shape, list) else "map") if not isinstance(shape, dict) else "map"
    )
    field = path.lstrip(".")
    return refused(f"json: cannot unmarshal {_go_kind(value)} into Go struct field {struct}.{field} of type {wanted}")


def _go_kind(value: Any) -> str:
    kinds = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "null")
