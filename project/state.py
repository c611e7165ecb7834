"""The state of a stack: where Pulumi's file backend keeps it, and how it marks values that are not plain JSON."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key of an object that stands for a secret, an output or an asset; its value says for which (Pulumi's `sig` package)."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (Pulumi's mark of a secret, not a secret)

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
