"""How Fly writes ids and times, and which fields of a document it shows."""

import random
from datetime import UTC, datetime

from rehearsal.cloud.store import Document


def public(document: Document) -> Document:
    """A document as the API shows it: without the fields that begin with an underscore."""
    return {key: value for key, value in document.items() if not key.startswith("_")}


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def random_id(digits: int, alphabet: str = "0123456789abcdefghijklmnopqrstuvwxyz") -> str:
    return "".join(random.choices(alphabet, k=digits))  # noqa: S311 (an id, not a secret)


def ulid(seconds: float) -> str:
    """26 characters that sort by time, like Fly's version and event ids."""
    crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    stamp = int(seconds * 1000)
    return "".join(crockford[stamp >> shift & 31] for shift in range(45, -1, -5)) + random_id(16, crockford)
