"""Every request and response, in order, with secrets and keys redacted."""

import functools
import json
import re
from typing import Any

from rehearsal.cloud.store import Document, Store

SHOWN_BYTES = 4000
SECRET_NAMES = re.compile(r"(?i)(authorization|password|private_?key|secret|token|csrContent|raw_value|values?$)")


class Journal:
    """Services write an entry after each call; tests and the control address read them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_kept = True
        """False saves time when nobody reads the journal."""

    def write(self, entry: Document) -> None:
        self._store.append_journal(entry)

    def entries(self, service: str | None = None) -> list[Document]:
        """`{"service", "method", "path", "query", "request", "status", "response", "at", "fault"}` of each call so far.

        `status` is None if no response was sent."""
        return [entry for entry in self._store.read_journal() if service in (None, entry["service"])]


def redact(body: bytes, content_type: str) -> Any:
    """A body that can be shown: JSON without secret values, shortened text, or the length of anything else."""
    if "json" in content_type and body:
        try:
            return _without_secrets(json.loads(body))
        except ValueError:
            pass
    if content_type.startswith("text/"):
        return body[:SHOWN_BYTES].decode(errors="replace")
    return f"{len(body)} bytes" if body else None


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        if _is_secret(name) and name != "secrets":
            return {key: None if item is None else "[redacted]" for key, item in value.items()}
        return {key: _without_secrets(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, name) for item in value]
    if isinstance(value, str) and name not in ("secrets", "digest") and _is_secret(name):
        return "[redacted]"
    return value


@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return SECRET_NAMES.search(name) is not None
