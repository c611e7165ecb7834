"""What a recording may contain: types, words, and sentences of plain words. Everything else is suspicious."""

import re
from collections.abc import Iterator
from typing import Any

from compare.recording import load

TYPE = re.compile(r"<[a-zA-Z ]+>")
WORD = re.compile(r"[A-Za-z][A-Za-z_.-]*\d?|\d{1,3}|/[A-Za-z/]+")
PUNCTUATION = "()[]\"'.,:;!?…|<>"
SECRET = re.compile(
    r"""[\w.+-]+@[\w-]+                       # an address
    | \b(?:fm1r|fm1a|fm2|fo1)_\S+ | \beyJ\S+  # a token
    | -----BEGIN                              # a key
    | \d+\.\d+\.\d+\.\d+ | \d{4,}             # an IP address, a number
    | [0-9a-f]{12,} | [A-Za-z0-9+/=]{45,}     # an id, a key
    | \.(?:com|dev|net|io|org)\b              # a hostname
    """,
    re.VERBOSE,
)


def suspicious(text: str) -> Iterator[str]:
    """What should not be in the text of a recording."""
    lines = text.replace("2026-11-27", "").splitlines()
    about, rest = lines[:5], "\n".join(lines[5:])
    assert [line for line in about if not re.match(r"#|vendor: \w+|source: [\w. ]+|date: |steps:|$", line)] == []
    yield from (found[0] for found in SECRET.finditer(rest))
    for step in load(text).steps:
        yield from (leaf for leaf in _leaves(step.body) if not _is_harmless(leaf))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name.rstrip("?")
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield str(value)


def _is_harmless(leaf: str) -> bool:
    alternatives = leaf.split("|")
    if all(TYPE.fullmatch(part) or WORD.fullmatch(part) for part in alternatives):
        return True
    words = (word.strip(PUNCTUATION) for word in leaf.split())
    return all(not word or WORD.fullmatch(word) for word in words)
