"""Where Pulumi's file backend keeps the state of a stack."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

REHEARSAL_BACKEND = Path(".rehearsal/state")
"""Where rehearsals keep their state, relative to the project: the backend where `PULUMI_BACKEND_URL` is not set."""


def backend_folder(url: str) -> Path | None:
    """The `.pulumi` folder of a `file://` backend URL; None for any other backend."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    return Path(unquote(parts.netloc + parts.path)).expanduser() / ".pulumi"


def state_file(backend: Path, project: str, stack: str) -> Path:
    """The checkpoint of a stack, below its backend folder."""
    return backend / "stacks" / project / f"{stack}.json"
