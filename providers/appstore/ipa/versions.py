"""Apple's version and build numbers: which are valid, which is higher, which is free
(https://developer.apple.com/documentation/bundleresources/information-property-list/cfbundleversion)."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(\.\d+){0,2}")


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def problem(number: str, what: str) -> str | None:
    """What is wrong with `number` as a `what` ("version", "build number"), or None. `0` is a valid build number."""
    if is_number(number):
        return None
    return f"{what} '{number}' is not valid: Apple accepts one to three whole numbers joined by dots"


def ordering(number: str) -> tuple[int, int, int]:
    """A key to compare numbers by: 1.0 equals 1.0.0, leading zeros do not count, 1.10 is higher than 1.9."""
    major, minor, patch = ([int(part) for part in number.split(".")] + [0, 0])[:3]
    return major, minor, patch


def spellings(number: str) -> list[str]:
    """All ways to write the same number. Apple's filters find only the one that was uploaded first."""
    parts = [str(part) for part in ordering(number)]
    written = [".".join(parts)]
    while len(parts) > 1 and parts[-1] == "0":
        parts = parts[:-1]
        written.append(".".join(parts))
    return written if number in written else [number, *written]


def next_free(wanted: str, taken: Iterable[str]) -> str:
    """The lowest build number of two parts above `wanted` and all `taken`: after 0 comes 0.1, then 0.2."""
    highest = max([ordering(wanted), *map(ordering, taken)])
    return f"{highest[0]}.{highest[1] + 1}"
