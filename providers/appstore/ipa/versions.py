"""Apple's version and build numbers: which are valid, which is higher, which is free
(https://developer.apple.com/documentation/bundleresources/information-property-list/cfbundleversion)."""

import re
from collections.abc import Iterable

VERSION_PARTS, BUILD_PARTS = 3, 4
"""The most numbers in a version, and in a build number. Apple documents three for both, and accepts builds with four, such as
24.1.0.0 (https://github.com/woocommerce/woocommerce-ios/pull/16636)."""
_NUMBER = r"[0-9]{1,18}(\.[0-9]{1,18}){0,3}"


def is_number(text: str, parts: int = VERSION_PARTS) -> bool:
    return re.fullmatch(_NUMBER, text) is not None and text.count(".") < parts


def is_build(text: str) -> bool:
    """Whether it is a build number that Apple accepts."""
    return is_number(text, BUILD_PARTS)


def has_undocumented_form(build: str) -> bool:
    """Whether a build number has more parts than Apple documents."""
    return is_build(build) and not is_number(build)


def problem(number: str, what: str, parts: int = VERSION_PARTS) -> str | None:
    """What is wrong with `number` as a `what` ("version", "build number"), or None. `0` is a valid build number."""
    if is_number(number, parts):
        return None
    return f"{what} '{number}' is not valid: Apple accepts one to three whole numbers joined by dots"


def ordering(number: str) -> tuple[int, ...]:
    """A key to compare numbers by: 1.0 equals 1.0.0, leading zeros do not count, 1.10 is higher than 1.9."""
    return tuple(([int(part) for part in number.split(".")] + [0] * BUILD_PARTS)[:BUILD_PARTS])


def spellings(number: str) -> list[str]:
    """All ways to write the same number. Apple's filters find only the one that was uploaded first."""
    parts = [str(part) for part in ordering(number)]
    if parts[-1] == "0":
        parts = parts[:VERSION_PARTS]
    written = [".".join(parts)]
    while len(parts) > 1 and parts[-1] == "0":
        parts = parts[:-1]
        written.append(".".join(parts))
    return written if number in written else [number, *written]


def next_free(wanted: str, taken: Iterable[str]) -> str:
    """The lowest build number of two parts above `wanted` and all `taken`: after 0 comes 0.1, then 0.2."""
    highest = max([ordering(wanted), *map(ordering, taken)])
    return f"{highest[0]}.{highest[1] + 1}"
