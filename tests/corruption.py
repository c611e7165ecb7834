"""Corrupted responses: whatever a vendor sends, an `up` ends in one line, and nothing is made twice or lost.

A journey of the fault matrix (`tests/fault_matrix.py`) is repeated, like an `up`, with corrupted responses, until each distinct call has
had each corruption. Then it must succeed, and the world must be the same as after a journey with correct responses.
"""

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import pytest

from harness.inprocess import Doubles, route_to
from providers.errors import ProviderError, Unexpected
from rehearsal.cloud.world import World
from tests.fault_matrix import Journey, run_journey, start_of

SEED = 20
CANARY = "s3cret-value"
"""Part of each corrupted value. Errors name fields and types, so they never contain it."""
ID = re.compile(r"(?<=/)(?!v\d/)(?:[^/]*\d[^/]*|(?:rel|vol|vs)_\w+|[0-9A-Z]{10})(?=/|$)")
"""A part of a path that is an ID. Calls that differ only in IDs are the same call."""
NULLABLE = ("attached_machine_id",)
"""Keys whose absence has a meaning, so that it is not a corruption."""

Path = tuple[str | int, ...]


def _remove(parent: Any, key: Any) -> None:
    del parent[key]


def _make_null(parent: Any, key: Any) -> None:
    """Not for a list: programs in Go write null for an empty one."""
    parent[key] = parent[key] if isinstance(parent[key], list) else None


def _retype(parent: Any, key: Any) -> None:
    parent[key] = [CANARY] if isinstance(parent[key], str | dict | None) else CANARY


PAGES = {f"a web page of a proxy with HTTP {status}": status for status in (200, 403, 404, 502)}
"""The proxy has not passed on the request."""
WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "not UTF-8": lambda content: content[:1] + b"\xff\xfe" + content[1:],
    "nested too deeply": lambda _: b"[" * 100_000,
    "null": lambda content: content if content[:1] == b"[" else b"null",
    "an object without fields": lambda _: b"{}",
    "a string": lambda _: json.dumps(CANARY).encode(),
    "a list of strings": lambda _: json.dumps([CANARY]).encode(),
}
PARTS: dict[str, Callable[[Any, Any], None]] = {
    "a key is missing": _remove,
    "a value is null": _make_null,
    "a value of another type": _retype,
}


class Corrupted(NamedTuple):
    call: str
    corruption: str
    number: int
    """Of the corruptions of this call."""


def corrupted(content: bytes, corruption: str, dice: random.Random) -> bytes:
    """JSON after a corruption, which can be without effect on this content."""
    if corruption in WHOLE:
        return WHOLE[corruption](content)
    value = json.loads(content)
    paths = [path for path in _keys(value) if path[-1] not in NULLABLE]
    if not paths:
        return content
    path = dice.choice(paths)
    parent = value
    for step in path[:-1]:
        parent = parent[step]
    PARTS[corruption](parent, path[-1])
    return json.dumps(value).encode()


def _keys(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all values of objects inside a JSON value."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str):
            yield (*path, key)
        yield from _keys(item, (*path, key))


class Corruptor(httpx.BaseTransport):
    """The connection to the doubles for one run: the first response of each call gets the next corruption of that call.

    A refusal, and the output of a program in a machine, are calls of their own.
    """

    def __init__(self, world: World, counts: Counter[str], only: Corrupted | None, places: int, seed: int) -> None:
        """`counts` says how often each call was corrupted before. `only` is the only corruption to apply."""
        self._doubles, self._counts, self._only, self._seed = Doubles(world), counts, only, seed
        self._ways = [*WHOLE, *(part for part in PARTS for _ in range(places))]
        self._lock = threading.Lock()
        self.applied: list[Corrupted] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.host}{ID.sub('ID', request.url.path)}"
        if page := self._next(f"{call}, not passed on", list(PAGES)):
            request.read()
            status = PAGES[page.corruption]
            return httpx.Response(status, text=f"<!doctype html><title>Sign in to the network, {CANARY}</title>")
        response = self._doubles.handle_request(request)
        content = self._output_corrupted(call, response.read())
        if content.startswith((b"{", b"[")):
            refused = "" if response.is_success else f", refused with HTTP {response.status_code}"
            content = self._corrupted(f"{call}{refused}", content)
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return httpx.Response(response.status_code, headers=headers, content=content)

    def _output_corrupted(self, call: str, content: bytes) -> bytes:
        """The response with another output of a program in a machine, if it has one."""
        output = json.loads(content)["stdout"] if call.endswith("/exec") and b'"stdout"' in content else ""
        start = output.rfind("\n{") + 1  # After lines of a log.
        if not output[start:].startswith(("{", "[")):
            return content
        printed = self._corrupted(f"{call}, its output", output[start:].encode())
        return json.dumps({**json.loads(content), "stdout": output[:start] + printed.decode(errors="replace")}).encode()

    def _corrupted(self, call: str, content: bytes) -> bytes:
        chosen = self._next(call, self._ways)
        if chosen is None:
            return content
        dice = random.Random(f"{self._seed} {chosen}")  # noqa: S311 (not cryptography)
        return corrupted(content, chosen.corruption, dice)

    def _next(self, call: str, ways: Sequence[str]) -> Corrupted | None:
        with self._lock:
            at = self._counts[call]
            if at >= len(ways) or any(call == corruption.call for corruption in self.applied):
                return None
            chosen = Corrupted(call, ways[at], at)
            self._counts[call] += 1
            if self._only not in (None, chosen):
                return None
            self.applied.append(chosen)
            return chosen


@dataclass(frozen=True)
class Survived:
    """The results of a journey."""

    responses: int
    failures: list[str]


def survive(journey: Journey, settings: dict[str, Any], *, places: int = 1, seed: int = SEED) -> Survived:
    """Corrupt the responses of a journey. `places` is at how many places of a response keys and values are corrupted."""
    expected, _ = run_journey(settings, journey)
    corrupting = _Corrupting(settings, journey, expected, places, seed)
    corrupting.until_nothing_is_left()
    return Survived(sum(corrupting.counts.values()), corrupting.failures)


@dataclass
class _Corrupting:
    """One journey, in a new world whenever it has succeeded in spite of the corruption."""

    settings: dict[str, Any]
    journey: Journey
    expected: dict[str, Any]
    """What the world holds after a journey with correct responses."""
    places: int
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def until_nothing_is_left(self) -> None:
        """Each response that can be corrupted, in each way."""
        while True:
            applied, wrong_world = self._until_it_succeeds(self.counts)
            if wrong_world:
                culprits = [
                    corruption for corruption in applied if self._until_it_succeeds(_before(corruption), corruption)[1]
                ]
                self.failures.append(f"after {culprits or applied}: {wrong_world}")
            if not applied:
                return

    def _until_it_succeeds(self, counts: Counter[str], only: Corrupted | None = None) -> tuple[list[Corrupted], str]:
        """What was corrupted, and what is wrong with the world in the end."""
        world, stack = start_of(self.settings, self.journey)
        applied: list[Corrupted] = []
        try:
            while True:
                transport = Corruptor(world, counts, only, self.places, self.seed)
                with pytest.MonkeyPatch.context() as patch:
                    route_to(patch, world, transport)
                    error = _error_of(lambda: self.journey.go(stack))
                if fault := _fault(error):
                    self.failures.append(f"{transport.applied}: {fault}")
                applied += transport.applied
                if error is None or not transport.applied:
                    held = self.journey.held(world)
                    good = held == self.expected and error is None
                    return applied, "" if good else f"{error or ''} {held} instead of {self.expected}"
        finally:
            world.close()


def _before(corrupted: Corrupted) -> Counter[str]:
    return Counter({corrupted.call: corrupted.number})


def _error_of(do: Callable[[], None]) -> Exception | None:
    try:
        do()
    except Exception as error:  # noqa: BLE001 (the test reports all failures together)
        return error
    return None


def _fault(error: Exception | None) -> str:
    """What is wrong with an error: it has to be one line of ours, without a value of the response."""
    text = str(error)
    if error is None or isinstance(error, ProviderError):
        is_good = not isinstance(error, Unexpected) and CANARY not in text and "\n" not in text
        return "" if is_good else text
    return f"{type(error).__name__}: {text}"
