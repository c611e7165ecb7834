"""Finds the state of a stack: in a file of a local backend, or with the Pulumi CLI. Reads only."""

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

REHEARSAL = Path(".rehearsal/state")
"""Where `make rehearse` keeps its stack."""


class NotFound(Exception):
    """There is no such stack, or its state cannot be read; the message says which."""


def exported(stack: str) -> str:
    """The state of `stack` as JSON: from the backend in PULUMI_BACKEND_URL, else a rehearsal's, else where the CLI is logged in.
    A local backend is read without the CLI and without a passphrase: the report leaves secrets out. Raises NotFound."""
    url = os.environ.get("PULUMI_BACKEND_URL") or (REHEARSAL.absolute().as_uri() if _files(REHEARSAL, stack) else "")
    if urlsplit(url).scheme != "file":
        return _from_cli(stack)
    folder = Path(unquote(urlsplit(url).netloc + urlsplit(url).path)).expanduser()
    files = _files(folder, stack)
    if len(files) != 1:
        raise NotFound(
            f"there is no stack {stack} in {folder}" if not files else f"{folder} has several stacks {stack}"
        )
    return files[0].read_text(encoding="utf-8")


def _files(folder: Path, stack: str) -> list[Path]:
    return sorted(folder.glob(f".pulumi/stacks/*/{stack}.json"))


def _from_cli(stack: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", "stack", "export", "--stack", stack], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NotFound(f"there is no local state of {stack}, and the Pulumi CLI is not installed") from None
    if done.returncode:
        raise NotFound(done.stderr.strip().removeprefix("error: "))
    return done.stdout
