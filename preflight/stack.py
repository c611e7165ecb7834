"""A stack as `up` would find it: its configuration with its secrets opened, and what its state says is made already.

Read by the Pulumi CLI where it is installed, whichever backend and secrets provider the stack has; else by the reader of the
embedded engine, which knows files and passphrases.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from project.config import BadProject
from project.config import read as read_project
from project.crypter import WrongPassphrase
from providers.errors import ProviderError
from rehearsal.engine.backend import Backend

DYNAMIC = "pulumi-python:dynamic/"
CLI_SECONDS = 20


class Unreadable(ProviderError):
    """The stack's configuration cannot be read; the text says why."""

    __module__ = "builtins"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """`values` and `secret_keys` are as the engine hands them to the program."""

    name: str
    folder: Path
    values: Mapping[str, str] = field(repr=False)
    secret_keys: frozenset[str] = frozenset()
    made: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Ids of what the stack has made, by type: `fly:App`."""
    trouble: str = ""
    """What the CLI says about the stack, when it can run nothing with it."""


def read(folder: Path, name: str, config_file: Path | None = None) -> Stack:
    """The stack `name` of the project in `folder`. Raises Unreadable."""
    if shutil.which("pulumi") is None:
        return _by_file(folder, name, config_file)
    file = ("--config-file", str(config_file)) if config_file else ()
    shown = _pulumi(folder, "config", "--show-secrets", "--json", "--stack", name, *file)
    if shown.returncode:
        found = _by_file(folder, name, config_file)
        return Stack(**{**vars(found), "trouble": shown.stderr.strip().removeprefix("error: ")})
    values = json.loads(shown.stdout)
    exported = _pulumi(folder, "stack", "export", "--stack", name)
    resources = json.loads(exported.stdout)["deployment"].get("resources") or () if not exported.returncode else ()
    return Stack(
        name=name,
        folder=folder,
        values={key: about.get("value", "") for key, about in values.items()},
        secret_keys=frozenset(key for key, about in values.items() if about.get("secret")),
        made=_by_type((each["type"], each.get("id") or "") for each in resources),
    )


def _by_file(folder: Path, name: str, config_file: Path | None) -> Stack:
    try:
        stack = read_project(folder, name, config_file)
    except (BadProject, WrongPassphrase) as error:
        raise Unreadable(str(error)) from None
    try:
        entries = [(entry.type, entry.id) for entry in Backend(stack).load()]
    except BadProject:
        entries = []
    return Stack(name=name, folder=folder, values=stack.config, secret_keys=stack.secret_keys, made=_by_type(entries))


def _by_type(resources: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    made: dict[str, frozenset[str]] = {}
    for type, id in resources:
        short = type.removeprefix(DYNAMIC)
        made[short] = made.get(short, frozenset()) | {id}
    return made


def _pulumi(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command: list[Any] = ["pulumi", *arguments, "--non-interactive"]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=CLI_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            command, 1, "", f"`pulumi {arguments[0]}` did not end within {CLI_SECONDS} s"
        )
