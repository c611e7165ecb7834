"""Reads a stack as `up` would: its decrypted configuration, and the resources in its state.

It uses the Pulumi CLI if that is installed, which supports every backend and secrets provider. Without the CLI, only the file backend
and passphrase secrets are supported.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from project.config import project_name, stack_file
from project.config import read as read_config
from project.crypter import WrongPassphrase
from project.files import BadProject
from project.state import REHEARSAL_BACKEND, backend_folder, state_file
from providers.errors import ProviderError

DYNAMIC = "pulumi-python:dynamic/"
CLI_SECONDS = 20


class Unreadable(ProviderError):
    """The stack's configuration cannot be read; the message says why."""

    __module__ = "builtins"


@dataclass(frozen=True, kw_only=True)
class StackView:
    """`values` and `secret_keys` are as the engine passes them to the program."""

    name: str
    project: str
    folder: Path
    values: Mapping[str, str] = field(repr=False)
    secret_keys: frozenset[str] = frozenset()
    resource_ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Ids of the resources in the state, by type: `fly:App`."""
    claimed: Mapping[str, str] = field(default_factory=dict)
    """What the other stacks of the same backend have, `app NAME` and `bundle ID IDENTIFIER`, and the stack that has it."""
    build: Mapping[str, Any] = field(default_factory=dict)
    """Inputs of the build that is uploaded; empty when there is none."""
    file: Path | None = None
    """The stack file that the values are from."""
    problem: str = ""
    """The CLI's error, if it cannot use the stack; else empty."""


def read(folder: Path, name: str, config_file: Path | None = None) -> StackView:
    """The stack `name` of the project in `folder`. Raises Unreadable."""
    if shutil.which("pulumi") is None:
        return _from_files(folder, name, config_file)
    file = ("--config-file", str(config_file)) if config_file else ()
    shown = _pulumi(folder, "config", "--show-secrets", "--json", "--stack", name, *file)
    if shown.returncode:
        return _from_files(folder, name, config_file, problem=shown.stderr.strip().removeprefix("error: "))
    values, project = json.loads(shown.stdout), project_name(folder)
    exported = _pulumi(folder, "stack", "export", "--stack", name)
    deployment = {} if exported.returncode else json.loads(exported.stdout)["deployment"]
    return StackView(
        name=name,
        project=project,
        folder=folder,
        values={key: about.get("value", "") for key, about in values.items()},
        secret_keys=frozenset(key for key, about in values.items() if about.get("secret")),
        resource_ids=_ids_by_type(deployment),
        claimed=_claimed_by_others(_exports(folder, name)),
        build=_build(deployment),
        file=stack_file(folder, name, config_file),
    )


def _exports(folder: Path, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The other stacks of the project, as the CLI exports them."""
    listed = _pulumi(folder, "stack", "ls", "--json")
    for other in json.loads(listed.stdout) if listed.returncode == 0 else ():
        if other["name"].rpartition("/")[2] != name:
            exported = _pulumi(folder, "stack", "export", "--stack", other["name"])
            if exported.returncode == 0:
                yield other["name"], json.loads(exported.stdout)["deployment"] or {}


def _from_files(folder: Path, name: str, config_file: Path | None, *, problem: str = "") -> StackView:
    try:
        stack = read_config(folder, name, config_file)
    except (BadProject, WrongPassphrase) as error:
        raise Unreadable(str(error)) from None
    deployment = _deployment(folder, stack.project, name)
    return StackView(
        name=name,
        project=stack.project,
        folder=folder,
        values=stack.config,
        secret_keys=stack.secret_keys,
        claimed=_claimed_by_others(_other_deployments(folder, stack.project, name)),
        resource_ids=_ids_by_type(deployment),
        build=_build(deployment),
        file=stack_file(folder, name, config_file),
        problem=problem,
    )


def _deployment(folder: Path, project: str, name: str) -> Mapping[str, Any]:
    """The stack's latest deployment in the file backend; empty if there is none."""
    backend = _backend(folder)
    path = state_file(backend, project, name) if backend else None
    if path is None or not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}


def _other_deployments(folder: Path, project: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    backend = _backend(folder)
    for path in sorted(state_file(backend, project, name).parent.glob("*.json")) if backend else ():
        if path.stem != name:
            yield path.stem, _deployment(folder, project, path.stem)


def _backend(folder: Path) -> Path | None:
    return backend_folder(os.environ.get("PULUMI_BACKEND_URL") or (folder / REHEARSAL_BACKEND).absolute().as_uri())


def _claimed_by_others(stacks: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    claimed = {}
    for stack, deployment in stacks:
        for resource in deployment.get("resources") or ():
            kind = resource["type"].removeprefix(DYNAMIC)
            if kind == "fly:App":
                claimed[f"app {resource.get('id')}"] = stack
            elif kind == "appstore:BundleId":
                claimed[f"bundle ID {resource['inputs'].get('identifier')}"] = stack
    return claimed


def _ids_by_type(deployment: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    ids: dict[str, frozenset[str]] = {}
    for resource in deployment.get("resources") or ():
        short = resource["type"].removeprefix(DYNAMIC)
        ids[short] = ids.get(short, frozenset()) | {resource.get("id") or ""}
    return ids


def _build(deployment: Mapping[str, Any]) -> dict[str, Any]:
    builds = (
        resource
        for resource in deployment.get("resources") or ()
        if resource["type"] == f"{DYNAMIC}appstore:BuildUpload"
    )
    return next((dict(build.get("inputs") or {}) for build in builds if not build.get("delete")), {})


def _pulumi(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command: list[Any] = ["pulumi", *arguments, "--non-interactive"]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=CLI_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(
            command, 1, "", f"`pulumi {arguments[0]}` did not end within {CLI_SECONDS} s"
        )
