"""The values that Fly takes in fly.toml, by the name of the key: one table. A key has the same meaning in each section.

What depends on other keys is checked where it is read.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from providers.errors import ProblemText
from providers.fly.api.durations import is_duration, seconds_of
from providers.fly.appconfig.tables import Document

OUT_OF_RANGE = ProblemText("fly.toml", "must be {least} to {most}, not {value}")
OUT_OF_TIME = ProblemText("fly.toml", "must be {least} to {most} seconds, not {value}")
BAD_FORM = ProblemText("fly.toml", "must be {form}, not {value!r}")
CONTROL_CHARACTER = ProblemText("fly.toml", "contains a control character")

NUMBERS: Mapping[str, tuple[int, int]] = {
    "hard_limit": (0, 1_000_000),
    "soft_limit": (0, 1_000_000),
    "idle_timeout": (1, 86_400),
    "internal_port": (1, 65_535),
    "max_retries": (0, 10_000),
    "min_machines_running": (0, 1_000),
    "port": (1, 65_535),
    "retries": (0, 10_000),
    "swap_size_mb": (0, 65_536),
}
SECONDS: Mapping[str, tuple[float, float]] = {
    "grace_period": (0, 3_600),
    "interval": (0.001, 3_600),
    "release_command_timeout": (1, 86_400),
    "timeout": (0.001, 3_600),
    "wait_timeout": (1, 86_400),
}
"""Durations; a number without a unit is checked by its sign only."""


class Form(msgspec.Struct, frozen=True):
    text: str
    pattern: str


_HANDLERS = ("edge_http", "http", "pg_tls", "proxy_proto", "tls")
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
FORMS: Mapping[str, Form] = {
    "primary_region": Form("a region of Fly, three lower-case letters like sjc", "[a-z]{3}"),
    "method": Form(f"one of {', '.join(_METHODS)}", f"(?i){'|'.join(_METHODS)}"),
    "handlers": Form(f"one of {', '.join(_HANDLERS)}", "|".join(_HANDLERS)),
    "path": Form("a path that begins with a slash, without spaces", r"/[!-~]*"),
}
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f]"
_FREE = ("env", "files", "processes")
"""Sections whose keys are names."""


def check(document: Document, values: Mapping[str, Any]) -> None:
    """Report the values that Fly would refuse, or would take for something else."""
    for path, value in _leaves(values, ()):
        key = path[-1].partition("[")[0]
        if isinstance(value, str) and re.search(_CONTROL, value):
            document.report(path, CONTROL_CHARACTER())
        if path[0] in _FREE or isinstance(value, bool):
            continue
        if key in NUMBERS and isinstance(value, int | float | str):
            least, most = NUMBERS[key]
            number = int(value[:20]) if isinstance(value, str) and value.isdecimal() else value
            if not isinstance(number, str) and not least <= number <= most:
                document.report(path, OUT_OF_RANGE(least=least, most=most, value=value))
        elif key in SECONDS and not _is_in_time(value, *SECONDS[key]):
            shortest, longest = SECONDS[key]
            document.report(path, OUT_OF_TIME(least=f"{shortest:g}", most=f"{longest:g}", value=value))
        elif key in FORMS and isinstance(value, str) and value and not re.fullmatch(FORMS[key].pattern, value):
            document.report(path, BAD_FORM(form=FORMS[key].text, value=value))


def _is_in_time(value: Any, least: float, most: float) -> bool:
    """Whether a duration is in the range; what is no duration is reported where it is read."""
    if isinstance(value, str):
        return not is_duration(value) or least <= seconds_of(value) <= most
    return not isinstance(value, int | float) or (math.isfinite(value) and value >= least)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values that are no tables, with their paths in the form of `Document.line`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path[:-1], f"{path[-1]}[{index}]"))
    else:
        yield path, value
