"""A stack's configuration: `Pulumi.yaml` and `Pulumi.<stack>.yaml`, checked as the CLI checks them."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag

from project.crypter import Crypter
from project.files import BadProject, read_yaml

PYTHON_TYPES: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
ENCRYPTED = "[encrypted]"
"""Placeholder for a secret that is not decrypted."""


@dataclass(frozen=True)
class ProjectStack:
    """A stack as its files describe it. `config` maps `namespace:key` to a string; objects and lists are JSON."""

    project: str
    name: str
    folder: Path
    config: dict[str, str]
    secret_keys: frozenset[str]

    @property
    def urn(self) -> str:
        """The URN of the stack's root resource."""
        return f"urn:pulumi:{self.name}::{self.project}::pulumi:pulumi:Stack::{self.project}-{self.name}"


@dataclass(frozen=True)
class DecryptedStack(ProjectStack):
    """A stack with decrypted secrets. `crypter` encrypts and decrypts for it."""

    crypter: Crypter


def read(folder: Path, name: str, config_file: Path | None = None) -> DecryptedStack:
    """The configuration of stack `name` of the project in `folder`, with its secrets decrypted.

    The passphrase is `PULUMI_CONFIG_PASSPHRASE`, or the content of the file that `PULUMI_CONFIG_PASSPHRASE_FILE` names.
    Raises BadProject and WrongPassphrase.
    """
    file = stack_file(folder, name, config_file)
    salt = read_yaml(file, required=False).get("encryptionsalt")
    crypter = _crypter_with(salt, name, file) if salt else Crypter.new(passphrase(name))
    encrypted = _read(folder, name, config_file, crypter.decrypt)
    return DecryptedStack(**vars(encrypted), crypter=crypter)


def read_without_secrets(folder: Path, name: str, config_file: Path | None = None) -> ProjectStack:
    """The same, with `ENCRYPTED` in place of each secret: needs no passphrase. Raises BadProject."""
    return _read(folder, name, config_file, lambda _: ENCRYPTED)


def project_name(folder: Path) -> str:
    """The name of the project in `folder`. Raises BadProject."""
    return str(read_yaml(folder / "Pulumi.yaml")["name"])


def stack_file(folder: Path, name: str, config_file: Path | None = None) -> Path:
    return config_file or folder / f"Pulumi.{name}.yaml"


def crypter_of(name: str, file: Path) -> Crypter:
    """The crypter of stack `name`. Adds a salt to a stack file that has none. Raises BadProject and WrongPassphrase."""
    salt = read_yaml(file, required=False).get("encryptionsalt")
    if salt:
        return _crypter_with(salt, name, file)
    crypter = Crypter.new(passphrase(name))
    write_salt(file, crypter)
    return crypter


def _crypter_with(salt: Any, name: str, file: Path) -> Crypter:
    try:
        return Crypter.of(str(salt), passphrase(name))
    except ValueError:
        raise BadProject(
            f"{file}: the encryptionsalt is damaged: put back the one that is in version control"
        ) from None


def write_salt(file: Path, crypter: Crypter) -> None:
    """Add the salt to a stack file, as `pulumi stack init` does."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"encryptionsalt: {crypter.salt}\n")


def _read(folder: Path, name: str, config_file: Path | None, decrypt: Callable[[str], str]) -> ProjectStack:
    project = read_yaml(folder / "Pulumi.yaml")
    namespace = str(project["name"])

    def full(key: Any) -> str:
        return str(key) if ":" in str(key) else f"{namespace}:{key}"

    file = read_yaml(stack_file(folder, name, config_file), required=False)
    entries = file.get("config") or {}
    if not isinstance(entries, Mapping):
        raise BadProject(f"{stack_file(folder, name, config_file)}: config is not a mapping of keys to values")
    given = {full(key): value for key, value in entries.items()}
    schema = [_Declared.of(key, full(key), declared) for key, declared in (project.get("config") or {}).items()]
    secret_keys = frozenset(key for key, value in given.items() if _has_secret(value))
    values = {key: _decrypted(value, _naming(key, name, decrypt)) for key, value in given.items()}
    _check(name, schema, values, secret_keys)
    values = {found.key: found.default for found in schema if found.has_default} | values
    config = {key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in values.items()}
    return ProjectStack(namespace, name, folder, config, secret_keys)


def _naming(key: str, stack: str, decrypt: Callable[[str], str]) -> Callable[[str], str]:
    """As `decrypt`, with an error that names the key."""

    def named(text: Any) -> str:
        try:
            return decrypt(str(text))
        except (InvalidTag, ValueError):
            raise BadProject(
                f"{key} cannot be decrypted: it is damaged, or from another stack; set it again with "
                f"`pulumi config set --secret --stack {stack}`"
            ) from None

    return named


def passphrase(stack: str) -> str:
    """The passphrase of `stack`, from the environment. Raises BadProject."""
    if "PULUMI_CONFIG_PASSPHRASE" in os.environ:
        return os.environ["PULUMI_CONFIG_PASSPHRASE"]
    if file := os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        return Path(file).read_text().rstrip("\n")
    raise BadProject(
        f"stack {stack} needs its passphrase: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
    )


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"secure"}


def _has_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _is_secret(value) or any(_has_secret(item) for item in value.values())
    return isinstance(value, list) and any(_has_secret(item) for item in value)


def _decrypted(value: Any, decrypt: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        if _is_secret(value):
            return decrypt(value["secure"])
        return {key: _decrypted(item, decrypt) for key, item in value.items()}
    if isinstance(value, list):
        return [_decrypted(item, decrypt) for item in value]
    return value


@dataclass(frozen=True)
class _Declared:
    """A key that Pulumi.yaml declares."""

    label: str
    """The key as it is written there, with or without a namespace."""
    key: str
    about: Mapping[str, Any]

    @classmethod
    def of(cls, label: str, key: str, declared: Any) -> Self:
        """`key: value` is short for `key: {default: value}`."""
        return cls(label, key, declared if isinstance(declared, Mapping) else {"default": declared})

    @property
    def has_default(self) -> bool:
        return "value" in self.about or "default" in self.about

    @property
    def default(self) -> Any:
        return self.about.get("value", self.about.get("default"))

    def problem(self, value: Any, *, is_secret: bool) -> str:
        """The CLI's message for a value of the wrong type; empty if the value is valid."""
        wanted, items = self.about.get("type"), self.about.get("items")
        if wanted and not _is(value, wanted, items):
            shown = f"array<{items['type']}>" if wanted == "array" and items else wanted
            return f"configuration key '{self.label}' must be of type '{shown}'"
        if self.about.get("secret") and not is_secret:
            return f"configuration key '{self.label}' must be encrypted as it's secret"
        return ""


def _check(stack: str, schema: list[_Declared], values: Mapping[str, Any], secret_keys: frozenset[str]) -> None:
    """The CLI's own checks, with its messages. Raises BadProject."""
    missing = [
        f"'{key.label}'" for key in schema if key.key not in values and not key.has_default and "type" in key.about
    ]
    if missing:
        raise BadProject(
            f"validating stack config: Stack '{stack}' is missing configuration values {' and '.join(missing)}"
        )
    problems = [key.problem(values[key.key], is_secret=key.key in secret_keys) for key in schema if key.key in values]
    found = [problem for problem in problems if problem]
    if found:
        raise BadProject(f"validating stack config: Stack '{stack}' with {'; '.join(found)}")


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
