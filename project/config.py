"""A stack's configuration: `Pulumi.yaml` and `Pulumi.<stack>.yaml`, checked as the CLI checks them, with its secrets opened."""

import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from project.crypter import Crypter

ENDPOINTS = ("fly", "flyPlatform", "appstore", "registry", "proxy")
"""What a stack must say under `<project>:endpoints`: one that is missing would be the vendor's own."""
PYTHON_TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


class BadProject(Exception):
    """A mistake in the project's or the stack's file; the message is fit to be read."""


@dataclass(frozen=True)
class Stack:
    """One stack of a project. `config` maps `namespace:key` to text, objects and lists as JSON."""

    project: str
    name: str
    folder: Path
    config: dict[str, str]
    secret_keys: frozenset[str]
    crypter: Crypter

    @property
    def urn(self) -> str:
        return f"urn:pulumi:{self.name}::{self.project}::pulumi:pulumi:Stack::{self.project}-{self.name}"


def load(folder: Path, name: str, config_file: Path | None = None) -> Stack:
    """Read the stack as `read` does, and refuse one that leads to the vendors themselves.

    A stack file without a salt gets one, as `pulumi stack init` would do. Raises BadProject and WrongPassphrase.
    """
    stack = read(folder, name, config_file)
    _refuse_distant_endpoints(stack)
    stack_file = config_file or folder / f"Pulumi.{name}.yaml"
    if not _read(stack_file, required=False).get("encryptionsalt"):
        _write_salt(stack_file, stack.crypter)
    return stack


def read(folder: Path, name: str, config_file: Path | None = None) -> Stack:
    """The stack `name` of the project in `folder`; its passphrase is `PULUMI_CONFIG_PASSPHRASE`, or in the file that
    `PULUMI_CONFIG_PASSPHRASE_FILE` names. Raises BadProject and WrongPassphrase."""
    project = _read(folder / "Pulumi.yaml", required=True)
    namespace = str(project["name"])
    given = _read(config_file or folder / f"Pulumi.{name}.yaml", required=False)
    salt = given.get("encryptionsalt")
    crypter = Crypter.of(salt, _passphrase(name)) if salt else Crypter.new(_passphrase(name))
    secret_keys: set[str] = set()
    values: dict[str, Any] = {}
    for key, value in (given.get("config") or {}).items():
        full_key = key if ":" in key else f"{namespace}:{key}"
        if _has_secure(value):
            secret_keys.add(full_key)
        values[full_key] = _opened(value, crypter)
    _check_types(name, namespace, project.get("config") or {}, values, secret_keys)
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return Stack(namespace, name, folder, config, frozenset(secret_keys), crypter)


def crypter_of(name: str, stack_file: Path) -> Crypter:
    """What encrypts the secrets of the stack `name`; a stack file without a salt gets one. Raises WrongPassphrase."""
    salt = _read(stack_file, required=False).get("encryptionsalt")
    if salt:
        return Crypter.of(salt, _passphrase(name))
    crypter = Crypter.new(_passphrase(name))
    _write_salt(stack_file, crypter)
    return crypter


def _write_salt(stack_file: Path, crypter: Crypter) -> None:
    with stack_file.open("a") as file:
        file.write(f"encryptionsalt: {crypter.salt}\n")


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        if required:
            raise BadProject(f"{path} is missing: run this in a folder with a Pulumi project") from None
        return {}
    except yaml.YAMLError as error:
        raise BadProject(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise BadProject(f"{path} holds no keys and values")
    return content


def _passphrase(stack: str) -> str:
    if "PULUMI_CONFIG_PASSPHRASE" in os.environ:
        return os.environ["PULUMI_CONFIG_PASSPHRASE"]
    if file := os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        return Path(file).read_text().rstrip("\n")
    raise BadProject(
        f"stack {stack} needs its passphrase: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
    )


def _has_secure(value: Any) -> bool:
    if isinstance(value, Mapping):
        return value.keys() == {"secure"} or any(_has_secure(item) for item in value.values())
    return isinstance(value, list) and any(_has_secure(item) for item in value)


def _opened(value: Any, crypter: Crypter) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"secure"}:
            return crypter.decrypt(value["secure"])
        return {key: _opened(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [_opened(item, crypter) for item in value]
    return value


def _check_types(
    stack: str, namespace: str, schema: Mapping[str, Any], values: dict[str, Any], secret_keys: set[str]
) -> None:
    """The CLI's own checks, in its own words; fills in the defaults."""
    missing, problems = [], []
    for key, declared in schema.items():
        full_key = key if ":" in key else f"{namespace}:{key}"
        if not isinstance(declared, Mapping):
            declared = {"default": declared}  # noqa: PLW2901 (the short form of the same thing)
        if full_key not in values:
            if "value" in declared or "default" in declared:
                values[full_key] = declared.get("value", declared.get("default"))
            elif "type" in declared:
                missing.append(f"'{key}'")
            continue
        wanted = declared.get("type")
        if wanted and not _is(values[full_key], wanted, declared.get("items")):
            shown = f"array<{declared['items']['type']}>" if wanted == "array" and declared.get("items") else wanted
            problems.append(f"configuration key '{key}' must be of type '{shown}'")
        elif declared.get("secret") and full_key not in secret_keys:
            problems.append(f"configuration key '{key}' must be encrypted as it's secret")
    if missing:
        raise BadProject(
            f"validating stack config: Stack '{stack}' is missing configuration values {' and '.join(missing)}"
        )
    if problems:
        raise BadProject(f"validating stack config: Stack '{stack}' with {'; '.join(problems)}")


def _is(value: Any, wanted: str, items: Mapping[str, Any] | None) -> bool:
    if wanted in ("integer", "boolean") and isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    if isinstance(value, bool) and wanted != "boolean":
        return False
    if wanted == "array" and items:
        return isinstance(value, list) and all(_is(item, items["type"], items.get("items")) for item in value)
    return isinstance(value, PYTHON_TYPES[wanted])


def _refuse_distant_endpoints(stack: Stack) -> None:
    endpoints = json.loads(stack.config.get(f"{stack.project}:endpoints") or "{}")
    distant = [
        f"{key} ({endpoints.get(key) or 'not set'})" for key in ENDPOINTS if not _is_loopback(endpoints.get(key))
    ]
    distant += [f"{key} ({value})" for key, value in _others(endpoints) if not _is_loopback(value)]
    if distant:
        raise BadProject(
            f"the embedded engine is for rehearsals on this machine, and {stack.project}:endpoints names others: "
            f"{', '.join(distant)}; use the Pulumi CLI for this stack, or point these at `python -m rehearsal serve`"
        )


def _others(endpoints: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in endpoints.items() if key not in ENDPOINTS)


def _is_loopback(url: Any) -> bool:
    host = urlsplit(str(url or "")).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
