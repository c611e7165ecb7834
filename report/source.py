"""Where the state of a stack is: in the file of a backend that is a folder, or with the Pulumi CLI. It is not changed."""

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

REHEARSAL = Path(".rehearsal/state")
"""Where `make rehearse` keeps its stack."""


class NotToBeHad(Exception):
    """There is no such stack, or nobody to ask; the message says which."""


def exported(stack: str) -> str:
    """The state of `stack`, as JSON: of the backend that PULUMI_BACKEND_URL names, else a rehearsal's, else what the CLI is logged
    in to. A folder is read without the CLI and without a passphrase, for the report strikes secrets out. Raises NotToBeHad."""
    url = os.environ.get("PULUMI_BACKEND_URL") or (REHEARSAL.absolute().as_uri() if _files(REHEARSAL, stack) else "")
    if urlsplit(url).scheme != "file":
        return _asked(stack)
    folder = Path(unquote(urlsplit(url).netloc + urlsplit(url).path)).expanduser()
    files = _files(folder, stack)
    if len(files) != 1:
        raise NotToBeHad(
            f"there is no stack {stack} in {folder}" if not files else f"{folder} has several stacks {stack}"
        )
    return files[0].read_text(encoding="utf-8")


def _files(folder: Path, stack: str) -> list[Path]:
    return sorted(folder.glob(f".pulumi/stacks/*/{stack}.json"))


def _asked(stack: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", "stack", "export", "--stack", stack], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NotToBeHad(f"the state of {stack} is nowhere here, and the Pulumi CLI is not installed") from None
    if done.returncode:
        raise NotToBeHad(done.stderr.strip().removeprefix("error: "))
    return done.stdout
