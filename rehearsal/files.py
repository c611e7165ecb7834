"""Reads the files that people edit. The error for an invalid one is one line that says what to do."""

import os
import tomllib
from pathlib import Path
from typing import Any

import yaml


class BadFile(Exception):
    """A file cannot be used; the message says why and what to do."""


def read_yaml(path: Path) -> Any:
    """Raises BadFile."""
    try:
        return yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        raise bad(path, f"is not valid YAML ({' '.join(str(error).split())})") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Raises BadFile."""
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise bad(path, f"is not valid TOML ({error})") from None


def bad(path: Path, problem: str) -> BadFile:
    """The error for a committed file with that problem."""
    return BadFile(f"{_shown(path)} {problem}: fix it, or restore it with `git checkout {_shown(path)}`")


def _shown(path: Path) -> str:
    """The path relative to the current folder."""
    return os.path.relpath(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadFile(f"{_shown(path)} is missing: restore it with `git checkout {_shown(path)}`") from None
    except UnicodeDecodeError:
        raise bad(path, "is not UTF-8 text") from None
