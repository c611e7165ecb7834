"""Reads and writes the YAML files of a project."""

import os
from pathlib import Path
from typing import IO, Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, from the C library where PyYAML has it: ten times as fast."""


class BadProject(Exception):
    """A mistake in a file of the project, or in where its state is kept; the message can be shown to the user."""


def read_yaml(path: Path, *, required: bool = True) -> dict[str, Any]:
    """The keys and values of a YAML file; empty for a missing file that is not `required`. Raises BadProject."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), LOADER) or {}  # noqa: S506 (both are the safe one)
    except FileNotFoundError:
        if required:
            raise BadProject(f"{path} is missing: run this in a folder with a Pulumi project") from None
        return {}
    except yaml.YAMLError as error:
        raise BadProject(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise BadProject(f"{path} is not a mapping of keys to values")
    return content


def create_private(path: Path) -> IO[str]:
    """A new text file for secrets, also encrypted ones, which only its owner may read. Replaces an old one."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


def write_yaml(path: Path, document: dict[str, Any]) -> None:
    """Replace the file; comments are not kept."""
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
