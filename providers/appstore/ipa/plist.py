"""Property lists with limits, and their values by type: nothing that a file contains makes the reader slow or raise anything else
than ValueError.

The binary form is a table of objects that refer to each other. Python's reader trusts its counts, so they are added up before.
"""

import itertools
import plistlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
MAX_DEPTH = 32
MAX_TEXT = 1000
"""Characters of a text that are read. No text that Apple accepts is longer."""

Plist = Mapping[str, Any]


def read(content: bytes, what: str) -> Plist:
    """A property list that is a dictionary. Raises ValueError, which calls it `what`."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"{what} is larger than {MAX_BYTES >> 10} KiB")
    try:
        if content.startswith(b"bplist"):
            _check_table(content)
        value = plistlib.loads(content)
    except Exception:  # noqa: BLE001 (plistlib raises nearly anything for a damaged file)
        raise ValueError(f"{what} is not a property list") from None
    _check_nesting(value, what)
    if isinstance(value, dict):
        return value
    raise ValueError(f"{what} is not a dictionary")


def text(values: Plist, key: str) -> str:
    """A text or a number, as text; empty if it is missing or something else."""
    value = values.get(key)
    usable = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value)[:MAX_TEXT] if usable else ""


def texts(values: Plist, key: str) -> list[str]:
    """A list of texts or numbers, as texts. A single one is a list of one."""
    value = values.get(key)
    entries = value if isinstance(value, list) else [value]
    return [found for entry in entries if (found := text({key: entry}, key))]


def table(values: Plist, key: str) -> Plist:
    """A dictionary; empty if it is missing or something else."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def blobs(values: Plist, key: str) -> tuple[bytes, ...]:
    """The binary values of a list; empty if it is missing or something else."""
    value = values.get(key)
    return tuple(entry for entry in value if isinstance(entry, bytes)) if isinstance(value, list) else ()


def flag(values: Plist, key: str) -> bool | None:
    """A truth value, also written as a text or a number; None if it is missing."""
    value = values.get(key)
    return None if value is None else value in (True, "true", "YES", "1")


def date(values: Plist, key: str) -> datetime | None:
    """A time, in UTC; None if it is missing or something else."""
    value = values.get(key)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


def describe(value: object) -> str:
    """A value as messages show it."""
    if value is None:
        return "nothing"
    return str(value)[:200] if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"


def _check_nesting(value: object, what: str) -> None:
    """Objects of the binary form can be shared, so a small file can describe a huge tree."""
    level: list[object] = [value]
    left = MAX_VALUES
    for _ in range(MAX_DEPTH):
        level = list(itertools.islice(_children(level), left + 1))
        left -= len(level)
        if left < 0:
            raise ValueError(f"{what} has more than {MAX_VALUES} values")
        if not level:
            return
    raise ValueError(f"{what} is nested more than {MAX_DEPTH} levels deep")


def _children(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise ValueError("a property list has a key that is not a text")
            yield from value.values()
        elif isinstance(value, list):
            yield from value


def _check_table(content: bytes) -> None:
    """Raise ValueError if the objects of a binary property list add up to more than its limits."""
    offset_size, _, count, _, table_offset = struct.unpack(">6xBBQQQ", content[-32:])
    if count > MAX_VALUES:
        raise ValueError
    values = size = 0
    for index in range(count):
        entry = table_offset + index * offset_size
        offset = int.from_bytes(content[entry : entry + offset_size])
        kind, length = content[offset] >> 4, content[offset] & 0xF
        if kind in (1, 2):  # a number of 2^length bytes
            size += 1 << length
            continue
        if length == 0xF:
            width = 1 << (content[offset + 1] & 0xF)
            length = int.from_bytes(content[offset + 2 : offset + 2 + width])
        if kind >= 0xA:  # a list, a set, a dictionary
            values += length
        else:
            size += length * 2
    if values > MAX_VALUES or size > 4 * MAX_BYTES:
        raise ValueError
