"""TOML tables with line numbers: each key can be read once, and wrong or unread keys become problems. Independent of Fly.

tomllib has no line numbers, so `line_numbers` finds them in the text.
"""

import functools
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from providers.errors import Problem, ProblemText
from providers.fly.api.durations import seconds_of

KeyPath = tuple[str, ...]
"""Of a key or a table: `("http_service", "checks[0]", "path")`, with arrays of tables counted from 0."""

NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}
NOT_TABLE = ProblemText("fly.toml", "must be a table")
BAD_TYPE = ProblemText("fly.toml", "must be {kinds}")
MISSING = ProblemText("fly.toml", "{name} is missing")
NOT_ONE_OF = ProblemText("fly.toml", "must be one of {allowed}")
OUT_OF_RANGE = ProblemText("fly.toml", "must be {min} to {max}{unit}")
NOT_STRINGS = ProblemText("fly.toml", "must be a list of strings")
NO_UNIT = ProblemText("fly.toml", "{value!r} has no unit: write it like 15s, 500ms or 1m30s")
BAD_DURATION = ProblemText("fly.toml", "{value!r} is not a duration: write it like 15s, 500ms or 1m30s")
BAD_SIZE = ProblemText("fly.toml", "{value!r} is not a size: write it like {example}")
NOT_AN_ARRAY = ProblemText("fly.toml", "must be written [[{section}]], or fly deploy does not read it")
SECOND_TABLE = ProblemText("fly.toml", "only one [[{name}]] is supported, for one machine")
NOT_SUPPORTED = ProblemText("fly.toml", "is not supported: {reason}")
UNKNOWN_KEY = ProblemText("fly.toml", "is unknown", remedy="did you mean {close}?")
NOT_USED = ProblemText("fly.toml", "{reason}", is_warning=True)

DROPPED = "is unknown to `fly deploy` too, which drops it"
SIMILARITY = 0.8
"""How alike an unknown key and a known one are, at least, for the unknown one to be a misspelling."""

SIZE = r"(?i)(\d+(?:\.\d+)?) ?(?:([kmgtp]?)(i?b)?)"


class Unit(msgspec.Struct, frozen=True):
    """The unit of a size; `base` is 1000 or 1024, `power` is 3 for giga."""

    base: int
    power: int
    example: str

    def amount(self, text: str) -> int | None:
        """The whole number of units in a size ("10gb", "1.5 TB", "10"), rounded down like flyctl; None for text that is not a size."""
        match = re.fullmatch(SIZE, text)
        if not match:
            return None
        if text.isdecimal():
            return int(text)
        power = " kmgtp".index((match[2] or " ").lower())
        size = float(match[1]) * float(self.base**power)
        return int(size) // int(self.base**self.power)


GB = Unit(1000, 3, "10gb")
MB = Unit(1024, 2, "512mb")


class Document:
    """A TOML file that is being read.

    `refused` has the reason for each key that is known and not supported, `unused` that for each key which a machine does not need.
    They are named `section.key`, `section.*` for all unread keys of a section, `section.*.key` for that key in each of its tables,
    and `*.key` for that key anywhere.
    """

    def __init__(
        self, name: str, text: str, values: dict[str, Any], refused: Mapping[str, str], unused: Mapping[str, str]
    ) -> None:
        self.top = Table(self, values, ())
        self.refused, self.unused = refused, unused
        self._name, self._text = name, text
        self._problems: list[tuple[int, Problem, Collection[KeyPath]]] = []
        self._misspelt: set[KeyPath] = set()
        """The keys that unknown ones are similar to."""
        self.damaged: set[str] = set()
        """Names of the top-level keys and tables that have problems, or are missing because they are misspelt."""

    def report(self, path: KeyPath, problem: Problem, lacks: Collection[KeyPath] = ()) -> None:
        """Record a problem of the key at `path`, with its line and the name of the key.

        `lacks` are the keys whose absence is the problem. If one of them is misspelt, its own problem is enough.
        """
        line = self.line(path)
        section = f"[{'.'.join(path[:-1])}]" if path[:-1] else ""
        where = " ".join(part for part in [section, path[-1] if path else ""] if part)
        found = replace(problem, key=f"{self._name}:{line}", message=f"{where} {problem.message}")
        if path and not problem.is_warning:
            self.damaged.add(path[0].partition("[")[0])
        self._problems.append((line, found, lacks))

    def report_misspelt(self, path: KeyPath, close: str) -> None:
        """Record that the key at `path` is unknown, and similar to the known key `close` of the same table."""
        self.report(path, UNKNOWN_KEY(close=close))
        self._misspelt.add((*path[:-1], close))
        self.damaged |= {close} if len(path) == 1 else set()

    def line(self, path: KeyPath) -> int:
        """The line of the key or table at `path`, or of the innermost one around it that the file has."""
        for end in range(len(path), 0, -1):
            *outer, last = path[:end]
            for name in (
                last,
                f"{last}[0]",
                last.partition("[")[0],
            ):  # The first of several tables; a list written in one line.
                if (*outer, name) in self._lines:
                    return self._lines[*outer, name]
        return 1

    @functools.cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return line_numbers(self._text)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of the file; `key` is file and line, `fly.toml:12`."""
        return tuple(problem for problem in self._in_order if not problem.is_warning)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the file has and a machine does not need, in the same form."""
        return tuple(problem for problem in self._in_order if problem.is_warning)

    @property
    def _in_order(self) -> list[Problem]:
        shown = [(line, found) for line, found, lacks in self._problems if not any(map(self._is_misspelt, lacks))]
        return [problem for _, problem in sorted(shown, key=lambda found: (found[0], found[1].message))]

    def _is_misspelt(self, path: KeyPath) -> bool:
        """Whether the file has the key at `path`, or a table around it, under a misspelt name."""
        *outer, last = path
        tables = [(*outer[:end], outer[end].partition("[")[0]) for end in range(len(outer))]
        return any(name in self._misspelt for name in (*tables, (*outer, last)))


class Table:
    """One table of the file: each key can be read once, and wrong or unread keys become problems."""

    def __init__(self, document: Document, values: object, path: KeyPath) -> None:
        self._document, self.path = document, path
        self.values = dict(values) if isinstance(values, dict) else {}
        self._known: set[str] = set()
        if not isinstance(values, dict):
            self.report(NOT_TABLE())

    def report(self, problem: Problem, key: str | None = None) -> None:
        """Record a problem of `key`, or of the table."""
        self._document.report(self.path if key is None else (*self.path, key), problem)

    def report_missing(self, problem: Problem, *lacks: str | KeyPath) -> None:
        """Record a problem of the table, which lacks these keys of its own, or tables of the file."""
        paths = [(*self.path, key) if isinstance(key, str) else key for key in lacks]
        self._document.report(self.path, problem, paths)

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of `key` if it is of `kind`; a boolean is not a number, and 8080.0 is a whole number."""
        self._known.add(key)
        if key not in self.values:
            return default
        value = self.values.pop(key)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if int in kinds and float not in kinds and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.report(BAD_TYPE(kinds=" or ".join(NAMES[kind] for kind in kinds)), key)
            return default
        return value

    def needed(self, key: str, kind: type) -> Any:
        if key not in self.values:
            self.report_missing(MISSING(name=key), key)
        return self.take(key, kind)

    def one_of(self, key: str, allowed: tuple[str, ...], *, needed: bool = False) -> str | None:
        value: str | None = self.needed(key, str) if needed else self.take(key, str)
        if value is not None and value not in allowed:
            self.report(NOT_ONE_OF(allowed=", ".join(allowed)), key)
        return value

    def number(self, key: str, min: int, max: int, unit: str = "") -> int | None:
        value: int | None = self.take(key, int)
        if value is not None and not min <= value <= max:
            self.report(OUT_OF_RANGE(min=min, max=max, unit=f" {unit}" if unit else ""), key)
        return value

    def strings(self, key: str) -> list[str] | None:
        value: list[Any] | None = self.take(key, list)
        if value is not None and not all(isinstance(item, str) for item in value):
            self.report(NOT_STRINGS(), key)
        return value

    def port(self, key: str, min: int, max: int) -> int | None:
        """A number, which older files have as a string."""
        value = self.values.get(key)
        if isinstance(value, str) and value.isdecimal():
            self.values[key] = int(value)
        return self.number(key, min, max)

    def duration(self, key: str, *, bare_unit: str = "") -> str | None:
        """A duration, as it is written. A bare number is in `bare_unit`, and is a problem when there is none; with a `bare_unit`,
        an empty text is ignored."""
        value = self._take_any(key)
        if bare_unit and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            value = f"{int(value)}{bare_unit}"
        if bare_unit and value == "":
            return None
        if value is not None and not isinstance(value, str):
            self.report(NO_UNIT(value=value), key)
            return None
        try:
            if value is not None:
                seconds_of(value)
        except ValueError:
            self.report(BAD_DURATION(value=value), key)
            return None
        return value

    def size(self, key: str, unit: Unit, kind: type | tuple[type, ...] = (str, int)) -> int | None:
        """A size in whole `unit`s."""
        value = self.take(key, kind)
        if value is None:
            return None
        amount = unit.amount(str(value))
        if amount is None:
            self.report(BAD_SIZE(value=value, example=unit.example), key)
        return amount

    def _take_any(self, key: str) -> Any:
        self._known.add(key)
        return self.values.pop(key, None)

    def tables(self, *keys: str, single: bool = True) -> list["Table"]:
        """The tables `[[key]]`, under any of the names that a section has had; with `single`, one `[key]` counts as a list of one."""
        return [table for key in keys for table in self._tables(key, single=single)]

    def _tables(self, key: str, *, single: bool) -> list["Table"]:
        found = self.take(key, (list, dict), [])
        if not isinstance(found, dict):
            return [Table(self._document, item, (*self.path, f"{key}[{index}]")) for index, item in enumerate(found)]
        if not single:
            self.report(NOT_AN_ARRAY(section=".".join((*self.path, key))), key)
            return []
        return [Table(self._document, found, (*self.path, key))]

    def table(self, key: str) -> "Table | None":
        found = self.take(key, dict)
        return None if found is None else Table(self._document, found, (*self.path, key))

    def only(self, *keys: str) -> "Table | None":
        """The only table `[[key]]`; further ones are problems."""
        found = self.tables(*keys)
        for more in found[1:]:
            more.report(SECOND_TABLE(name=keys[-1]))
        return found[0] if found else None

    def done(self) -> None:
        """Report the keys that were not read: as a problem if they are refused or misspelt, else as a warning."""
        section = ".".join(re.sub(r"\[\d+\]", "", part) for part in self.path)
        for key in self.values:
            names = (
                f"{section}.{key}".lstrip("."),
                f"{section}.*",
                f"{section.partition('.')[0]}.*.{key}",
                f"*.{key}",
            )
            refused, unused = (
                next((reasons[name] for name in names if name in reasons), None)
                for reasons in (self._document.refused, self._document.unused)
            )
            if refused:
                self.report(NOT_SUPPORTED(reason=refused), key)
            elif unused:
                self.report(NOT_USED(reason=unused), key)
            elif close := _similar(key, self._known):
                self._document.report_misspelt((*self.path, key), close)
            else:
                self.report(NOT_USED(reason=DROPPED), key)

    def unused(self, reason: str) -> None:
        """Warn once that nothing of this table is used, unless it is empty."""
        if self.values:
            self.report(NOT_USED(reason=reason))


def _similar(key: str, known: Collection[str]) -> str:
    """The known key that is most similar to `key`; empty if none is."""
    import difflib

    return next(iter(difflib.get_close_matches(key, known, n=1, cutoff=SIMILARITY)), "")


def line_numbers(text: str) -> dict[KeyPath, int]:
    """The line of each table and key.

    This reads headers and `key =` lines, skipping multi-line strings and arrays; a key inside an inline table has the line of
    the table.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    depth, quotes = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        inside = bool(depth or quotes)
        bare, quotes = _without_strings(line, quotes)
        header = re.match(r"\s*(\[{1,2})\s*([^\]]+?)\s*\]", line)
        key = re.match(r"""\s*("[^"]*"|'[^']*'|[\w-]+)((?:\s*\.\s*[\w"'-]+)*)\s*=""", line)
        if not inside and header:
            table = _header(header[2], counts, counted=header[1] == "[[")
            for end in range(1, len(table) + 1):  # `[[services.ports]]` alone makes a table `services` too.
                lines.setdefault(table[:end], number)
        elif not inside and key:
            parts = (key[1] + key[2]).split(".")
            for end in range(1, len(parts) + 1):
                lines.setdefault((*table, *(part.strip(" \t\"'") for part in parts[:end])), number)
            depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
        elif inside:
            depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
    return lines


def _header(text: str, counts: dict[KeyPath, int], *, counted: bool) -> KeyPath:
    path: KeyPath = ()
    parts = [part.strip(" \t\"'") for part in text.split(".")]
    for index, part in enumerate(parts):
        plain = (*path, part)
        if counted and index == len(parts) - 1:
            counts[plain] = counts.get(plain, -1) + 1
        path = (*path, f"{part}[{counts[plain]}]") if plain in counts else plain
    return path


def _without_strings(line: str, quotes: str) -> tuple[str, str]:
    """The line without its strings and comment, and the delimiter of a multi-line string that continues after it."""
    rest, bare = line, ""
    while rest:
        if quotes:
            _, found, rest = rest.partition(quotes)
            if not found:
                return bare, quotes
            quotes = ""
        token = re.search(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'|#", rest)
        if not token or token[0] == "#":
            return bare + (rest[: token.start()] if token else rest), ""
        bare, rest = bare + rest[: token.start()], rest[token.end() :]
        quotes = token[0] if token[0] in ('"""', "'''") else ""
    return bare, quotes
