"""Runs a script: deletes what earlier runs have left, sends the calls of each step, and deletes everything, whatever happens.

To delete is the same before and after: look for what carries our mark, and delete it, until nothing is found any more. Nothing has to
be remembered, so a run can be killed at any call.
"""

import contextlib
import datetime as dt
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compare.recording import Recorder, Recording
from compare.script import Leftover, Script, Step, Unlisted, Until, at, filled, in_order
from compare.shape import word
from compare.wire import Answer, Call, NotOurs, OverBudget, Wire

POLL_SECONDS = 2.0
REFUSED_RATIO = 0.1
"""A poll that is refused waits at least this part of the time that has passed: what is refused for good must not use up the budget."""
LOOK_AGAIN_SECONDS = 5.0
"""Lists lag: what was made just before is looked for again after this time."""
ROUNDS = 12
"""How many times it looks for leftovers, at most."""
QUIET_ROUNDS = 2
"""After so many looks in a row that find nothing, nothing is left."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    recording: Recording
    left: tuple[str, ...]
    """What could not be deleted."""
    stopped: str
    """Why the script did not reach its end; empty if it did."""
    calls: int
    throttled: int
    seconds: float


def run(
    script: Script,
    wire: Wire,
    *,
    source: str,
    date: dt.date,
    options: Collection[str] = (),
    assumed: Collection[str] = (),
    report: Callable[[str], None] | None = None,
) -> Outcome:
    """Run the script once. `assumed` are the calls that the vendor's page has no evidence for: they come first. `report` is called
    with what begins: a part, or the deletion."""
    began = wire.clock.now()
    recorder = Recorder(script, source=source, date=date)
    stopped = ""
    values = dict(script.values)
    report = report or (lambda doing: None)
    try:
        clean(script, wire)
        for part in in_order(script.parts, options, assumed):
            report(part.name)
            for step in part.steps:
                _do(step, wire, values, recorder)
    except OverBudget:
        stopped = "the budget of calls or minutes was used up"
    except NotOurs as call:
        stopped = f"a step would have written to something that is not ours: {call}"
    except KeyboardInterrupt:
        stopped = "it was interrupted"
    finally:
        with _uninterrupted():
            report("delete everything")
            wire.begin_cleaning()
            left = clean(script, wire)
        if left and (defect := sys.exc_info()[1]):
            defect.add_note(f"LEFT: {', '.join(left)}")
    return Outcome(
        recording=recorder.recording(values),
        left=left,
        stopped=stopped,
        calls=wire.calls,
        throttled=wire.throttled,
        seconds=wire.clock.now() - began,
    )


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM only print a line: impatience must not leave something that costs money."""

    def wait(number: int, frame: object) -> None:
        # Not print: the signal may interrupt one.
        os.write(2, b"deleting what was made, please wait; after kill -9 the next run deletes it\n")

    before = {each: signal.signal(each, wait) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def clean(script: Script, wire: Wire) -> tuple[str, ...]:
    """Delete everything that this tool has made; returns what is left, or why that is not known."""
    quiet = 0
    left: list[str] = []
    for _ in range(ROUNDS):
        left, found = [], False
        for look in script.leftovers:
            try:
                for item in list(look(wire)):
                    found = True
                    if not _is_deleted(item, wire.send(item.delete)):
                        left.append(item.title)
            except Unlisted as unlisted:
                left.append(f"not known: {unlisted}")
            except OverBudget:
                return (*left, "not known: the budget was used up")
        quiet = 0 if found or left else quiet + 1
        if quiet == QUIET_ROUNDS:
            break
        wire.clock.sleep(LOOK_AGAIN_SECONDS)
    return tuple(left)


def _is_deleted(item: Leftover, answer: Answer) -> bool:
    return answer.is_success or answer.status in item.gone


def _do(step: Step, wire: Wire, values: dict[str, str], recorder: Recorder) -> None:
    try:
        call = _call(step, values)
        filled([f"{{{name}}}" for name in step.needs], values)
        until = filled(vars(step.until), values) if step.until else {}
    except KeyError as missing:
        if not step.silent:
            recorder.skip(step, str(missing.args[0]))
        return
    if step.until:
        answer, outcomes, seconds = _poll(call, Until(**until), wire)
    else:
        answer, outcomes = wire.send(call), ()
        seconds = answer.seconds
    kept = {name: found for name, path in step.keep.items() if (found := _kept(answer, path))}
    values.update(kept)
    if not step.silent:
        recorder.add(step, answer, outcomes=outcomes, seconds=seconds, kept=kept)


def _kept(answer: Answer, path: str) -> str:
    found = at(answer.json(), path) if answer.is_success else None
    return str(found) if isinstance(found, str | int) else ""


def _call(step: Step, values: Mapping[str, str]) -> Call:
    method, _, path = filled(step.call, values).partition(" ")
    headers = filled(step.headers, values)
    return Call(api=step.api, method=method, path=path, body=filled(step.body, values), headers=headers, auth=step.auth)


def _poll(call: Call, until: Until, wire: Wire) -> tuple[Answer, tuple[str, ...], float]:
    """The last answer, the different outcomes in their order, and the seconds until it was as wanted."""
    began = wire.clock.now()
    outcomes: list[str] = []
    while True:
        answer = wire.send(call)
        outcome, is_wanted = _outcome(answer, until)
        if outcomes[-1:] != [outcome]:
            outcomes.append(outcome)
        seconds = wire.clock.now() - began
        if is_wanted:
            return answer, tuple(outcomes), seconds
        if seconds > until.seconds:
            return answer, (*outcomes, f"not within {until.seconds:g} s"), seconds
        wire.clock.sleep(POLL_SECONDS if answer.is_success else max(POLL_SECONDS, REFUSED_RATIO * seconds))


def _outcome(answer: Answer, until: Until) -> tuple[str, bool]:
    """What a poll has seen, as a text, and whether that is what it waits for."""
    is_wanted = answer.status == until.status if until.status else answer.is_success
    seen: list[Any] = [answer.status]
    if until.path:
        value = at(answer.json(), until.path) if answer.is_success else None
        seen += [word(value)] if isinstance(value, str) else []
        is_wanted &= value == until.value
    for text, is_shown in ((until.shows, True), (until.hides, False)):
        if text:
            found = text.encode() in answer.content
            seen += ["shown" if found else "not shown"] if answer.is_success else []
            is_wanted &= found == is_shown
    return " ".join(map(str, seen)), is_wanted
