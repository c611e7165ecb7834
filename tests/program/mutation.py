"""Mutated settings: wrong values of every kind, at every place of a stack's configuration."""

import copy
import random
from collections.abc import Collection, Iterator
from typing import Any

Path = tuple[str | int, ...]

WRONG: tuple[Any, ...] = (
    None,
    "",
    " ",
    "\n",
    "a\0b",
    "a\nb",
    "\x1b[31m",
    "\ud800",
    "é" * 3,
    "😀",
    "٣",
    "²",
    "x" * 5000,
    "-1",
    "0",
    "1.5",
    "1e9",
    "010",
    "9" * 30,
    "9" * 5000,
    "NaN",
    "true",
    "yes",
    "null",
    "{}",
    "[]",
    '{"a": 1}',
    "[[[[",
    "http://[",
    "https://",
    "vs_",
    "../../etc/passwd",
    "/",
    "${HOME}",
    "{name}",
    "%s",
    "@",
    "a@b",
    "*.",
    "launched",
    "passed",
    -1,
    0,
    1.5,
    1e308,
    10**30,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    [""],
    {"": ""},
    {"a": None},
    {"a": [1]},
    {"a": {"b": {"c": 1}}},
    {"__class__": "x"},
)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all values inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutated(document: dict[str, Any], dice: random.Random, kept: Collection[str] = ()) -> dict[str, Any]:
    """`kept` are keys whose values are not moved elsewhere. A copy with one to three changes: a wrong value, a missing or misspelt key, or one value in the place of another."""
    changed = copy.deepcopy(document)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        path = dice.choice(list(places(changed)))
        parent: Any = changed
        for step in path[:-1]:
            parent = parent[step]
        change = dice.choice(("replace",) * 8 + ("remove", "misspell", "move", "repeat"))
        if change == "replace":
            parent[path[-1]] = copy.deepcopy(dice.choice(WRONG))
        elif change == "remove":
            del parent[path[-1]]
        elif change == "misspell" and isinstance(parent, dict):
            parent[str(path[-1]) + dice.choice(("s", " ", "é", "\n"))] = parent.pop(path[-1])
        elif change == "move":
            other = dice.choice([other for other in places(changed) if other[0] not in kept])
            parent[path[-1]] = copy.deepcopy(_at(changed, other))
        elif change == "repeat" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[-1]))
    return changed


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


INSERTED = (
    "\t",
    "{",
    "[",
    "'",
    '"',
    ": ",
    "- ",
    "&a ",
    "*a",
    "!!python/object:os.system ",
    "\n",
    "#",
    "010",
    "1.10",
    "2026-11-29",
    "~",
    "\u2028",
    "---\n",
    "%",
    "@",
    "`",
    "? ",
    "<<: *a\n",
    "=",
    "]]",
    "\\u0000",
)


def mutated_text(text: str, dice: random.Random) -> str:
    """The text of a file with something inserted or removed at one or two places, or cut off."""
    for _ in range(dice.choice((1, 1, 2))):
        at = dice.randrange(len(text))
        change = dice.choice(("insert", "insert", "insert", "remove", "cut"))
        if change == "insert":
            text = text[:at] + dice.choice(INSERTED) + text[at:]
        elif change == "remove":
            text = text[:at] + text[at + dice.randrange(1, 9) :]
        else:
            text = text[: at + 1]
    return text
