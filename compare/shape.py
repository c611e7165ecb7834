"""What is kept of an answer: the types of all fields, and the words of vendors. Everything else is replaced by what it is.

Nothing passes because it looks harmless; only what is known to be a vendor's word passes. So ids, names, addresses, tokens and keys
cannot be in a recording:

    {"id": "e286", "state": "started", "size_gb": 1}      →      {"id": "<text>", "state": "started", "size_gb": "<number>"}

A list becomes the list of one shape that all its items have; `name?` is a field that some of them do not have. A list of events keeps
their order.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = Any
"""JSON whose values are words and `<types>`."""

WORD_FIELDS = frozenset(
    """
    status state type source code kind cpu_kind cpu_kinds fstype host_status policy protocol dns_provider strategy resultType
    certificate_authority role plan certificateType platform profileType profileState capabilityType processingState
    internalBuildState externalBuildState previous_state signal assetType assetDeliveryState inviteType locale primaryLocale pointer
    parameter key
    """.split()  # noqa: SIM905 (easier to read than a column of strings)
)
"""The fields whose values are words of the vendor: statuses, kinds, codes of errors."""
TEXT_FIELDS = frozenset({"error", "message", "title", "detail", "output"})
"""The fields whose values are sentences of the vendor, which our code reads. `keep_text` removes what is not a plain word."""
WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,60}\d?|[A-Z_]+(?:\.[A-Z_]+){1,8}|\d{3}|(?:/[A-Za-z]{1,40}){1,5}")
PLAIN = re.compile(r"[(\"'\[]*(?:[A-Za-z]+(?:['-][A-Za-z]+)*|[a-z]+(?:_[a-z]+)+|\d{1,3})[)\"'\].,;:!?]*")
FIELD = re.compile(r"[A-Za-z_][A-Za-z_-]*\d?")
KINDS = (
    ("<time>", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")),
    ("<digest>", re.compile(r"sha256:[0-9a-f]{64}")),
    ("<url>", re.compile(r"https?://.*")),
    ("<address>", re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]{1,4}:[0-9a-f:]*:[0-9a-f:]*")),
    ("<duration>", re.compile(r"(\d+(\.\d+)?(ms|us|s|m|h))+")),
)
"""The kinds of strings that a recording distinguishes."""
MIN_PRIVATE = 4
"""Shorter values are not looked for in sentences: they would remove every `a`."""
ANY = "<any>"
"""Something that the account decides: present or absent, null or not."""
REMOVED = "…"


class Reducer:
    """Reduces the answers of one run, in their order. `values` are what the run began with and has kept: no word and no name of a
    field. `private` are further values that no sentence may contain."""

    def __init__(self, values: Collection[str], private: Collection[str] = ()) -> None:
        long_enough = {text for text in (*values, *private) if len(text) >= MIN_PRIVATE}
        self._values = set(values)
        self._private = sorted(long_enough, key=len, reverse=True)
        self._seen_events: set[str] = set()

    def reduce(self, value: Any, field: str = "", *, foreign: bool = False) -> Shape:
        """The shape of a JSON value. Of `foreign` objects no words are kept: they say something of the account."""
        if isinstance(value, dict):
            named = [(self._name(name), name, item) for name, item in value.items()]
            return {shown: self.reduce(item, name, foreign=foreign) for shown, name, item in named}
        if isinstance(value, list):
            if field == "events" and all(isinstance(event, dict) for event in value):
                return self._events(value)
            return merged(self.reduce(item, field, foreign=foreign) for item in value)
        if value is None:
            return ANY if foreign else "<null>"
        if isinstance(value, bool):
            return "<boolean>"
        if isinstance(value, int | float):
            return "<number>"
        return self._string(str(value), field, foreign=foreign)

    def keep_text(self, text: str) -> str:
        """A sentence without names, ids, numbers and addresses."""
        for private in self._private:
            if private in text:  # compiling one pattern of all of them takes longer than a run against the double
                text = re.sub(rf"(?<!\w){re.escape(private)}(?!\w)", REMOVED, text)
        words = (word if PLAIN.fullmatch(word) else REMOVED for word in text.split())
        return re.sub(rf"{REMOVED}( {REMOVED})+", REMOVED, " ".join(words))

    def _string(self, text: str, field: str, *, foreign: bool) -> str:
        if field in TEXT_FIELDS:
            return "<text>" if foreign else self.keep_text(text) or "<text>"
        if field in WORD_FIELDS:
            return "<word>" if foreign or text in self._values else word(text)
        return next((kind for kind, pattern in KINDS if pattern.fullmatch(text)), "<text>")

    def _name(self, name: str) -> str:
        return name if FIELD.fullmatch(name) and name not in self._values else "<name>"

    def _events(self, events: list[Any]) -> Shape:
        """Those that no earlier answer has shown, newest first, and the shape of all."""
        fresh = [event for event in events if str(event.get("id")) not in self._seen_events]
        self._seen_events |= {str(event.get("id")) for event in fresh}
        order = [" ".join(word(str(event.get(name))) for name in ("type", "status", "source")) for event in fresh]
        return {"order": order, "each": merged(self.reduce(_without_words(event)) for event in fresh)}


def word(text: str) -> str:
    """The text if it can be a word of the vendor."""
    return text if WORD.fullmatch(text) else "<word>"


def strings(value: Any) -> Iterable[str]:
    """All strings in a JSON value that are not words or sentences of the vendor."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not (isinstance(item, str) and name in WORD_FIELDS | TEXT_FIELDS):
                yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def merged(shapes: Iterable[Shape]) -> list[Shape]:
    """A list of the one shape that fits all; empty for none."""
    found: list[Shape] = []
    for shape in shapes:
        found = [_fitting(found[0], shape)] if found else [shape]
    return found


def _fitting(one: Shape, other: Shape) -> Shape:
    if isinstance(one, dict) and isinstance(other, dict):
        return dict(_fields(one, other))
    if isinstance(one, list) and isinstance(other, list):
        return merged([*one, *other])
    if one == other or ANY in (one, other):
        return one if other == ANY else other
    if isinstance(one, str) and isinstance(other, str):
        return "|".join(sorted({*one.split("|"), *other.split("|")}))
    return ANY


def _fields(one: Mapping[str, Shape], other: Mapping[str, Shape]) -> Iterable[tuple[str, Shape]]:
    first, second = ({name.rstrip("?"): name for name in shape} for shape in (one, other))
    for name in {**first, **second}:
        if name in first and name in second:
            is_always = first[name] == second[name] == name
            yield name if is_always else f"{name}?", _fitting(one[first[name]], other[second[name]])
        else:
            yield f"{name}?", one[first[name]] if name in first else other[second[name]]


def _without_words(event: Mapping[str, Any]) -> dict[str, Any]:
    """Without what `order` already says."""
    return {name: value for name, value in event.items() if name not in ("type", "status", "source")}
