"""Reads the stack that the embedded engine runs on, and refuses one whose endpoints are not on this machine."""

import ipaddress
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from project import config
from project.config import DecryptedStack, ProjectStack, stack_file, write_salt
from project.files import BadProject, read_yaml
from rehearsal.endpoints import ENDPOINTS


def load(folder: Path, name: str, config_file: Path | None = None) -> DecryptedStack:
    """The configuration of stack `name`. Adds a salt to a stack file that has none, as `pulumi stack init` does.

    Raises BadProject and WrongPassphrase.
    """
    stack = config.read(folder, name, config_file)
    _refuse_remote_endpoints(stack)
    file = stack_file(folder, name, config_file)
    if not read_yaml(file, required=False).get("encryptionsalt"):
        write_salt(file, stack.crypter)
    return stack


def _refuse_remote_endpoints(stack: ProjectStack) -> None:
    """A missing endpoint is remote too: the program would call the vendor."""
    endpoints = json.loads(stack.config.get(f"{stack.project}:endpoints") or "{}")
    remote = [
        f"{key} ({endpoints.get(key) or 'not set'})"
        for key in [*ENDPOINTS, *(key for key in endpoints if key not in ENDPOINTS)]
        if not _is_loopback(endpoints.get(key))
    ]
    if remote:
        raise BadProject(
            f"the embedded engine only runs stacks whose endpoints are on this machine; not so in {stack.project}:endpoints: "
            f"{', '.join(remote)}; use the Pulumi CLI for this stack, or set these to `python -m rehearsal serve`"
        )


def _is_loopback(url: Any) -> bool:
    host = urlsplit(str(url or "")).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
