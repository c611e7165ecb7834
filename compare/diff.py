"""The differences of two recordings, one line each: what only one side has, other types and words, other orders and delays.

The same difference in several steps of one call is one line; a header that differs in several calls is one line too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compare.recording import DOUBLE, Recording, Seen
from compare.shape import ANY, Shape

MIN_DELAY, MIN_RATIO = 4, 2.5
"""Delays differ if one is this many seconds and this many times longer than the other."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    call: str
    step: str
    what: str
    kind: str
    """Differences of one kind in one call are one line."""
    of_all_calls: bool = False
    """So are those of one kind in all calls."""

    @property
    def key(self) -> tuple[str, str]:
        return ("" if self.of_all_calls else self.call, self.kind)


def differences(vendor: Recording, double: Recording) -> list[str]:
    """The lines. Steps are compared by their names: two runs may have another order of parts."""
    names = {True: _name(vendor.source), False: _name(double.source)}
    if names[True] == names[False]:
        names = {True: "the first run", False: "the second run"}
    others = {seen.step: seen for seen in double.steps}
    pairs = {seen.step: (seen, others[seen.step]) for seen in vendor.steps if seen.step in others}
    grouped: dict[tuple[str, str], list[Difference]] = {}
    for pair in pairs.values():
        for difference in _Pair(*pair, names).all():
            grouped.setdefault(difference.key, []).append(difference)
    unsent = _unsent(pairs)
    lines = [_line(group, unsent) for group in grouped.values()]
    return lines + [f"{pairs[step][0].call}: {_and_so(count)} (step: {step})" for step, count in unsent.items()]


def _name(source: str) -> str:
    return "the double" if source == DOUBLE else source


def _line(group: list[Difference], unsent: dict[str, int]) -> str:
    """The line of a group; takes the consequences of its steps from `unsent`."""
    first, steps = group[0], {difference.step for difference in group}
    more = f" and {len(steps) - 1} more" if len(steps) > 1 else ""
    call = "all calls" if len({difference.call for difference in group}) > 1 else first.call
    count = sum(unsent.pop(step, 0) for step in steps)
    return f"{call}: {first.what}{f'; {_and_so(count)}' if count else ''} (step: {first.step}{more})"


def _and_so(count: int) -> str:
    return f"{count} later {'step' if count == 1 else 'steps'} could not be compared"


def _unsent(pairs: Mapping[str, tuple[Seen, Seen]]) -> dict[str, int]:
    """How many steps only one side was asked, by the step whose answer lacked what they need."""
    givers = {name: step for step, (one, other) in pairs.items() for name in {*one.kept} ^ {*other.kept}}
    counts: dict[str, int] = {}
    for step, (one, other) in pairs.items():
        if bool(one.missing) == bool(other.missing):
            continue
        root, lacking = step, one.missing or other.missing
        while lacking in givers:
            root = givers[lacking]
            lacking = pairs[root][0].missing or pairs[root][1].missing
        if not pairs[root][0].foreign:
            counts[root] = counts.get(root, 0) + 1
    return counts


class _Pair:
    """The answers of both sides to one step."""

    def __init__(self, vendor: Seen, double: Seen, names: Mapping[bool, str]) -> None:
        self._vendor, self._double, self._names = vendor, double, names

    def all(self) -> Iterator[Difference]:
        one, other = self._vendor, self._double
        if one.missing or other.missing:
            return
        if one.outcomes != other.outcomes:
            yield self._found("order", f"{self._side(True)} shows {_order(one)}; {self._side(False)} {_order(other)}")
            return
        if one.status != other.status:
            yield self._found(f"status {one.status} {other.status}", self._both(_status(one), _status(other)))
            if one.status // 100 != other.status // 100:
                return
        longer, shorter = max(one.after, other.after), min(one.after, other.after)
        if longer - shorter >= MIN_DELAY and longer >= MIN_RATIO * shorter:
            yield self._found("delay", self._both(f"after {one.after} s", f"after {other.after} s"))
        yield from self._headers()
        yield from self._shapes("", one.body, other.body)

    def _headers(self) -> Iterator[Difference]:
        one, other = self._vendor.headers, self._double.headers
        for name in sorted({*one, *other}):
            if name not in one or name not in other:
                what = f"only {self._side(name in one)} has the header {name}"
            elif one[name] != other[name]:
                what = f"header {name}: {self._both(one[name], other[name])}"
            else:
                continue
            yield self._found(what, what, of_all_calls=True)

    def _shapes(self, path: str, one: Shape, other: Shape) -> Iterator[Difference]:
        if isinstance(one, dict) and isinstance(other, dict):
            envelope = {True: _envelope(one, other), False: _envelope(other, one)}
            if any(envelope.values()):
                is_vendor = bool(envelope[True])
                name, where = envelope[is_vendor], path or "the body"
                yield self._found(
                    path, f"{where}: {self._side(is_vendor)} has an envelope {name}, {self._side(not is_vendor)} none"
                )
            else:
                yield from self._fields(path, one, other)
        elif isinstance(one, list) and isinstance(other, list):
            if path.endswith("order"):
                if one != other:
                    yield self._found(path, f"{path}: {self._both(_listed(one), _listed(other))}")
            elif one and other:
                yield from self._shapes(f"{path}[]", one[0], other[0])
        elif one != other and ANY not in (one, other):
            yield self._found(path, f"{path or 'the body'}: {self._both(_type(one), _type(other))}")

    def _fields(self, path: str, one: Mapping[str, Shape], other: Mapping[str, Shape]) -> Iterator[Difference]:
        first, second = ({name.rstrip("?"): name for name in shape} for shape in (one, other))
        for name in {**first, **second}:
            below = f"{path}.{name}".lstrip(".")
            if name in first and name in second:
                yield from self._shapes(below, one[first[name]], other[second[name]])
                continue
            if self._vendor.foreign and name not in first:
                continue  # what has no value is absent, and the account decides what has one
            only = one[first[name]] if name in first else other[second[name]]
            if only != ANY and not (first.get(name) or second[name]).endswith("?"):
                yield self._found(below, f"only {self._side(name in first)} has the field {below}")

    def _found(self, kind: str, what: str, *, of_all_calls: bool = False) -> Difference:
        return Difference(
            call=self._vendor.call, step=self._vendor.step, what=what, kind=kind, of_all_calls=of_all_calls
        )

    def _both(self, vendor: str, double: str) -> str:
        return f"{vendor} from {self._side(True)}, {double} from {self._side(False)}"

    def _side(self, is_vendor: bool) -> str:
        return self._names[is_vendor]


def _envelope(one: Mapping[str, Shape], other: Mapping[str, Shape]) -> str:
    """The field of `one` that contains what `other` has directly; empty if there is none."""
    for name, inner in one.items():
        if isinstance(inner, dict) and name not in other and len(inner.keys() & other.keys()) > len(other) / 2:
            return name
    return ""


def _status(seen: Seen) -> str:
    return f"HTTP {seen.status}" if seen.status else "no answer"


def _order(seen: Seen) -> str:
    return ", then ".join(seen.outcomes) or "nothing"


def _listed(items: list[str]) -> str:
    return " < ".join(items) or "nothing"


def _type(shape: Shape) -> str:
    if isinstance(shape, dict):
        return "a list of events" if shape.keys() == {"order", "each"} else "an object"
    if isinstance(shape, list):
        return "a list"
    return "nothing" if shape is None else str(shape)
