"""What a script is made of: steps, which are data, in parts, which can run in any order that keeps their requirements.

Texts between braces in calls, bodies and headers are values: `{app}` is what an earlier step has kept, or what the run began with.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from compare.mark import Mark
from compare.wire import Answer, Api, Call, Wire

VALUE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Until:
    """Repeat the call until its answer is as wanted, for at most `seconds`.

    Wanted is a status (0 for any success); a `value` at a `path` of the body; a text that the body contains (`shows`), or does not
    (`hides`).
    """

    seconds: float
    status: int = 0
    path: str = ""
    value: str = ""
    shows: str = ""
    hides: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    name: str
    """Unique in its script. Recordings are compared by it."""
    call: str
    """`GET /v1/apps/{app}`, as in the table of the vendor's page, with the query."""
    api: str = "main"
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: str = ""
    """Empty for the credentials of the account, `none`, or `wrong`."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Values of the answer for later steps, by name: `{"volume": "id", "nonce": "data.nonce"}`."""
    until: Until | None = None
    foreign: bool = False
    """The answer shows what the account has: its words, and which optional fields are set, are no property of the vendor."""
    needs: Sequence[str] = ()
    """Values without which it makes no sense, beside those in its texts."""
    silent: bool = False
    """Not recorded: it only lets the consequences of the steps before it pass."""
    row: str = ""
    """The call in the vendor's page, where it differs from `call`."""

    @property
    def in_table(self) -> str:
        """The call as the vendor's page has it: `GET /v1/apps/{id}`."""
        return self.row or VALUE.sub("{id}", self.call.partition("?")[0])


@dataclass(frozen=True, kw_only=True)
class Part:
    """Steps in a fixed order. `after` names the parts that have to run before it."""

    name: str
    steps: Sequence[Step]
    after: Collection[str] = ()
    option: str = ""
    """Runs only if this option was given."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that this tool has made, and the call that deletes it."""

    title: str
    delete: Call
    gone: tuple[int, ...] = (404,)
    """The statuses, beside success, that mean that it does not exist."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """Everything that is particular to a vendor."""

    vendor: str
    """`fly`: the name of its page and of its recording."""
    title: str
    account: str
    """What a person types to start."""
    creates: str
    """What it creates, in one line."""
    parts: Sequence[Part]
    apis: Mapping[str, Api]
    mark: Mark
    values: Mapping[str, str]
    """The values that the run begins with; `mark` is in the name of everything that it makes."""
    may_write: Callable[[Call, set[str]], bool]
    """Whether a write concerns only what the tool has made; the set has the ids."""
    leftovers: Sequence[Callable[[Wire], Iterator[Leftover]]]
    """Functions that look for what exists of this and earlier runs, one for each type, dependents first. They raise Unlisted."""
    required: Call | None = None
    """A read that succeeds if the account has what the command line names. Raises Unlisted otherwise."""
    pace: float = 1.0
    prices: Mapping[str, float] = field(default_factory=dict)
    """What everything costs while it exists, in cents per second, at most; by option, and with an empty name without options."""

    def cents(self, options: Collection[str], seconds: float) -> float:
        """What a run costs at most."""
        return seconds * sum(price for option, price in self.prices.items() if not option or option in options)


class Unlisted(Exception):
    """The vendor did not answer what exists: nothing is known of leftovers."""

    def __init__(self, call: Call, answer: Answer, reason: str = "") -> None:
        self.status = answer.status
        shown = f"HTTP {answer.status}" if answer.status else "no answer"
        super().__init__(f"{call.method} {call.path}: {shown}{reason}")


def read(wire: Wire, call: Call) -> Answer:
    """The answer, if it is a success. Raises Unlisted."""
    answer = wire.send(call)
    if not answer.is_success:
        raise Unlisted(call, answer)
    return answer


def listed(wire: Wire, call: Call) -> Iterator[dict[str, Any]]:
    """The objects of all pages of a list. Raises Unlisted.

    In any envelope: what to delete must not depend on what a comparison is to find out.
    """
    while True:
        answer = read(wire, call)
        body = answer.json()
        values = [body] if isinstance(body, list) else list(body.values()) if isinstance(body, dict) else []
        lists = [value for value in values if isinstance(value, list)]
        if not lists and None not in values:
            raise Unlisted(call, answer, " without a list")
        yield from (item for items in lists for item in items if isinstance(item, dict))
        following = at(body, "links.next")
        if not following:
            return
        call = replace(call, path=re.sub(r"^https?://[^/]+", "", following))


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A template with its values. Raises KeyError with the name of a value that is missing."""
    if isinstance(template, str):
        return VALUE.sub(lambda found: values[found[1]], template)
    if isinstance(template, Mapping):
        return {key: filled(item, values) for key, item in template.items()}
    return [filled(item, values) for item in template] if isinstance(template, list | tuple) else template


def at(value: Any, path: str) -> Any:
    """The value at a path like `data.0.id`; None if there is none."""
    for name in path.split(".") if path else ():
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            return None
    return value


def in_order(parts: Iterable[Part], options: Collection[str], assumed: Collection[str]) -> list[Part]:
    """The parts that these options choose. Those with the most calls that are only assumed come first, as their requirements allow."""
    left = [part for part in parts if not part.option or part.option in options]
    ordered: list[Part] = []
    while left:
        done = {part.name for part in ordered}
        waiting = {part.name for part in left}
        ready = [part for part in left if not (set(part.after) & waiting) - done]
        best = max(ready, key=lambda part: len({step.in_table for step in part.steps} & set(assumed)))
        ordered.append(best)
        left.remove(best)
    return ordered
