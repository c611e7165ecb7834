"""Changes to a double, to see whether a comparison finds them: an answer, its status, its headers, or a delay."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.inprocess import Doubles
from rehearsal.cloud.world import World

Edit = Callable[[Any], Any]
"""Changes the body of an answer."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change to the answers to `call`, a regular expression of method and path; with `status`, only to those with it."""

    name: str
    call: str = ""
    of_status: int = 0
    body: Edit | None = None
    status: int = 0
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """New values; None removes the header."""
    delays: Mapping[str, Any] = field(default_factory=dict)
    line: tuple[str, ...] = ()
    """What its line of the comparison has to contain."""
    alone: bool = False
    """It has consequences for other calls: it is tried without other changes."""


class Changed(httpx.BaseTransport):
    """The connection to a double with changes, of which at most one concerns each answer."""

    def __init__(self, world: World, *changes: Change) -> None:
        self._doubles, self._changes = Doubles(world), changes
        for change in changes:
            world.delays = dataclasses.replace(world.delays, **change.delays)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._doubles.handle_request(request)
        called = f"{request.method} {request.url.path}"
        for change in self._changes:
            is_concerned = change.call and re.fullmatch(change.call, called)
            if is_concerned and change.of_status in (0, response.status_code):
                return self._changed(response, change)
        return response

    def _changed(self, response: httpx.Response, change: Change) -> httpx.Response:
        content = response.read()
        if change.body and content:
            content = json.dumps(change.body(json.loads(content))).encode()
        headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
        headers |= {name: value or "" for name, value in change.headers.items()}
        kept = {name: value for name, value in headers.items() if value}
        return httpx.Response(change.status or response.status_code, headers=kept, content=content)


def together(changes: Iterable[Change]) -> list[list[Change]]:
    """Groups of changes that can be tried in one run: each concerns other calls."""
    groups: list[list[Change]] = []
    for change in changes:
        fitting = (
            group
            for group in groups
            if not (change.alone or group[0].alone or change.call in {other.call for other in group})
        )
        group = next(fitting, None)
        if group is None:
            groups.append([change])
        else:
            group.append(change)
    return groups


def without(*path: str) -> Edit:
    """Without the field at a path; `*` stands for each item of a list."""
    return lambda body: _edited(body, path, lambda owner, name: owner.pop(name, None))


def replaced(*path: str, by: Any) -> Edit:
    """With another value at a path: a value, or a function of the present one."""

    def replace(owner: Any, name: str) -> None:
        if name in owner:
            owner[name] = by(owner[name]) if callable(by) else by

    return lambda body: _edited(body, path, replace)


def added(*path: str, value: Any) -> Edit:
    """With a new field at a path."""
    return lambda body: _edited(body, path, lambda owner, name: owner.update({name: value}))


def wrapped(name: str) -> Edit:
    """In an envelope."""
    return lambda body: {name: body}


def unwrapped(name: str) -> Edit:
    """Without its envelope."""
    return lambda body: body.get(name, body)


def _edited(body: Any, path: tuple[str, ...], edit: Callable[[Any, str], object]) -> Any:
    owners = [body]
    for name in path[:-1]:
        owners = [item for owner in owners for item in (owner if name == "*" else [owner[name]])]
    for owner in owners:
        if isinstance(owner, dict):
            edit(owner, path[-1])
    return body
