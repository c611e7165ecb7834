"""Finds the state of a stack: in a file of a local backend, or with the Pulumi CLI. Reads only."""

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

REHEARSAL = Path(".rehearsal")
"""Where `make rehearse` and `make serve` keep their stack: its file, and its state."""


class NotFound(Exception):
    """There is no such stack, or its state cannot be read; the message says which."""


def exported(stack: str) -> str:
    """The state of `stack` as JSON: from the backend in PULUMI_BACKEND_URL, else a rehearsal's, else where the CLI is logged in.
    A local backend is read without the CLI and without a passphrase: the report leaves secrets out. Raises NotFound."""
    folder = _folder(stack)
    if folder is None:
        return _from_cli(stack)
    files = _files(folder, stack)
    if len(files) != 1:
        raise NotFound(
            f"there is no stack {stack} in {folder}" if not files else f"{folder} has several stacks {stack}"
        )
    return files[0].read_text(encoding="utf-8")


def rehearsed_file(stack: str) -> Path | None:
    """The stack file of a rehearsal, a copy of `Pulumi.<stack>.yaml` with its sign-offs and declaration; None if the state of `stack` is
    not a rehearsal's."""
    file = REHEARSAL / f"Pulumi.{stack}.yaml"
    return file if _folder(stack) == _rehearsed_state() and file.exists() else None


def _rehearsed_state() -> Path:
    return (REHEARSAL / "state").absolute()


def _folder(stack: str) -> Path | None:
    """The folder of the local backend that has the state of `stack`; None if the backend is not local."""
    url = urlsplit(os.environ.get("PULUMI_BACKEND_URL", ""))
    if url.scheme == "file":
        return Path(unquote(url.netloc + url.path)).expanduser()
    return _rehearsed_state() if not url.geturl() and _files(_rehearsed_state(), stack) else None


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
