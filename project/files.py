"""Reads and writes the files of a project that people edit. The error for an invalid one is one line that says what to do."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import IO, Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, from the C library where PyYAML has it: ten times as fast."""
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class BadProject(Exception):
    """A mistake in a file of the project, or in where its state is kept; the message can be shown to the user."""


def read_yaml(path: Path, *, required: bool = True) -> dict[str, Any]:
    """The keys and values of a YAML file; empty for a missing file that is not `required`. Raises BadProject."""
    if not required and not path.exists():
        return {}
    try:
        content = yaml.load(_text(path), LOADER) or {}  # noqa: S506 (both are the safe one)
    except yaml.YAMLError as error:
        raise bad(path, f"is not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise bad(path, "is not a mapping of keys to values")
    return content


def create_private(path: Path) -> IO[str]:
    """A new text file for secrets, also encrypted ones, which only its owner may read. Replaces an old one."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


def read_toml(path: Path) -> dict[str, Any]:
    """Raises BadProject."""
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise bad(path, f"is not valid TOML ({error})") from None


def write_yaml(path: Path, document: dict[str, Any]) -> None:
    """Replace the file; comments are not kept."""
    path.write_text(yaml.dump(document, Dumper=DUMPER, allow_unicode=True, sort_keys=False), encoding="utf-8")


def bad(path: Path, problem: str) -> BadProject:
    """The error for a file with that problem."""
    restore = f", or restore it with `git checkout {_shown(path)}`" if is_committed(path) else ""
    return BadProject(f"{_shown(path)} {problem}: fix it{restore}")


def is_committed(path: Path) -> bool:
    """Whether git has the file, also if it was deleted. False without git."""
    find = ["git", "ls-files", "--error-unmatch", path.name]
    try:
        return subprocess.run(find, cwd=path.parent, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _shown(path: Path) -> str:
    """The path relative to the current folder."""
    return os.path.relpath(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        shown = _shown(path)
        restore = f"restore it with `git checkout {shown}`, or " if is_committed(path) else ""
        raise BadProject(f"{shown} is missing: {restore}run this in a folder with a Pulumi project") from None
    except UnicodeDecodeError:
        raise bad(path, "is not UTF-8 text") from None
