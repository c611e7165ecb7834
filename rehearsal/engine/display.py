"""The output of a run: a line for each resource with its changes, progress, errors and a summary. Never shows secrets."""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from rehearsal.engine.values import UNKNOWN, Properties, Secret, mapped

MARKS = {
    "create": "+",
    "update": "~",
    "replace": "±",
    "delete": "-",
    "retain": "-",
    "gone": "!",
    "changed": "~",
    "same": " ",
}
PAST = {
    "same": "unchanged",
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "retain": "retained",
    "gone": "gone",
    "changed": "changed",
}
NOT_SHOWN = ("__provider",)
MAX_LENGTH = 100
"""Longer values are cut in the middle."""
CUT = " … "
MARGIN = "    "

Change = tuple[str, Any, Any]


@dataclass(frozen=True)
class Step:
    """A step of a run, or of a preview."""

    operation: str
    urn: str
    changes: tuple[str, ...]
    """Paths of changed inputs, or of drifted outputs."""
    seconds: float = 0.0
    """Duration, for steps that call a plugin."""


class Display:
    """The output of one run. Thread-safe. `steps` and `errors` are for callers from Python."""

    def __init__(self, title: str, out: TextIO | None = None, *, preview: bool = False, quiet: bool = False) -> None:
        """`quiet` shows errors only."""
        self.title = title
        self.steps: list[Step] = []
        self.errors: list[tuple[str, str]] = []
        self._out = out or sys.stdout
        self._preview = preview
        self._quiet = quiet
        self.program_is_ending = False
        """A step failed or the run was interrupted: further output of the program is dropped."""
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._outputs: Properties = {}
        self._print(f"{title}:")

    def step(self, operation: str, urn: str, changes: Sequence[Change], seconds: float | None = None) -> None:
        """Show a completed step."""
        if ":pulumi:providers:" in urn:
            return
        shown = [change for change in changes if change[0] not in NOT_SHOWN]
        with self._lock:
            self.steps.append(Step(operation, urn, tuple(path for path, _, _ in shown), seconds or 0.0))
            if operation == "same":
                return
            word = operation if self._preview else PAST[operation]
            took = f" ({seconds:.1f} s)" if seconds is not None else ""
            self._print(f" {MARKS[operation]} {_label(urn)} {word}{took}")
            for path, old, new in shown:
                self._print(f"       {path}: {_shown(old)} => {_shown(new)}")

    @contextmanager
    def timed(self, operation: str, urn: str, changes: Sequence[Change]) -> Iterator[None]:
        """Time a step, and show it when it is complete."""
        began = time.monotonic()
        yield
        self.step(operation, urn, changes, time.monotonic() - began)

    def log(self, urn: str, text: str) -> None:
        """Show progress of a resource or, without `urn`, output of the program or a provider."""
        if urn or not self.program_is_ending:
            self._print(f"   {_label(urn)} {text}" if urn else f"   {text}")

    def error(self, urn: str, message: str, *, at_once: bool = False) -> None:
        """Record an error for the summary. One of a resource is also shown at once, like its other steps."""
        with self._lock:
            self.errors.append((urn, message))
            if urn or at_once:
                self._print(f" ✗ {_label(urn)} error: {message}" if urn else f" ✗ error: {message}", always=True)

    def outputs(self, outputs: Properties, changes: Sequence[Change]) -> None:
        """Set the stack outputs for the summary."""
        self._outputs = outputs

    def summary(self) -> None:
        if self._outputs and not self.errors:
            self._print("Outputs:")
            for name, value in sorted(self._outputs.items()):
                for line in _laid_out(name, value, MARGIN):
                    self._print(line)
        if self.errors and not self._quiet:
            self._print("Diagnostics:")
            for urn, message in self.errors:
                of = f"{_label(urn)}:" if urn else "the program:"
                self._print(f"  {' '.join(of.split())}")
                self._print(f"    error: {message}")
        counts = Counter(step.operation for step in self.steps)
        self._print("Resources:")
        for operation, mark in MARKS.items():
            if counts[operation]:
                word = f"to {operation}" if self._preview and operation != "same" else PAST[operation]
                self._print(f"    {f'{mark} '.lstrip()}{counts[operation]} {word}")
        if self.errors or not counts:
            self._print(f"    {len(self.errors)} errored" if self.errors else "    nothing to do")
        self._print(f"Duration: {time.monotonic() - self._began:.1f}s")

    @property
    def has_changes(self) -> bool:
        return any(step.operation != "same" for step in self.steps)

    def _print(self, text: str, *, always: bool = False) -> None:
        if always or not self._quiet:
            with self._lock:
                print(text, file=self._out, flush=True)


def _label(urn: str) -> str:
    """`fly:App backend-app`, in columns."""
    type, _, name = urn.partition("::")[2].partition("::")[2].rpartition("::")
    return f"{short_type(type):<26} {name}"


def short_type(type: str) -> str:
    """`fly:App` of `acme:index:Backend$pulumi-python:dynamic/fly:App`, `random:RandomPet` of `random:index/randomPet:RandomPet`."""
    package, _, rest = type.rpartition("$")[2].partition(":")
    module, _, name = rest.rpartition(":")
    if package == "pulumi-python":
        return f"{module.removeprefix('dynamic').strip('/') or 'dynamic'}:{name}"
    return f"{package}:{name}"


def _laid_out(name: str, value: Any, margin: str) -> Iterator[str]:
    """A stack output: on one line, or with a line for each value of a long object."""
    shown = _shown(value)
    if isinstance(value, dict) and CUT in shown:
        yield f"{margin}{name}:"
        for key in sorted(value):
            yield from _laid_out(key, value[key], margin + MARGIN)
    else:
        yield f"{margin}{name}: {shown}"


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, Secret):
        return "[secret]"
    text = json.dumps(_whole(mapped(value, lambda secret: "[secret]")), ensure_ascii=False)
    text = text.replace(f'"{UNKNOWN}"', "[unknown]")
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH // 2]}{CUT}{text[-MAX_LENGTH // 2 + 3 :]}"


def _whole(value: Any) -> Any:
    """`value` with 15 for 15.0: on the wire all numbers are floats."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
