"""Reads the `console` blocks of a document, chapter by chapter, and compares shown output with printed output.

    <!-- rehearsed: 1.0.1 is pushed -->

    ```console
    $ pulumi config set image registry.fly.io/solserver:1.0.1 --stack prod
    $ pulumi stack output url --stack prod
    https://solos-prod.fly.dev
    ```

A line that starts with `$ ` is a command, `> ` continues it; the lines after it are its output. `…` matches any text, a line of
`…` any number of lines. A command is expected to fail if and only if its shown output contains the word error. Blocks marked
`console not-run: REASON` are not run. A comment `rehearsed` is an event that happens at this point.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ANYTHING = "…"
BLOCK = re.compile(r"^```console(?: not-run: (?P<not_run>.+))?$")
EVENT = re.compile(r"^<!-- rehearsed: (?P<text>.+) -->$")
SAME = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b(?:pulumi-python:dynamic/|random:index/\w+:|random:index:|random:(?=Random))"), ""),
    (re.compile(r"\(\d+(?:\.\d+)? ?s\)"), f"({ANYTHING})"),
    (re.compile(r"^Duration: .*"), "Duration:"),
    (re.compile(r"^ ± "), " +- "),
    (re.compile(r"\s+"), " "),
)
"""Normalises what differs between the two engines and between runs: durations, and the prefix of a type."""


@dataclass(frozen=True)
class Event:
    """Something that a person or a vendor does."""

    line: int
    text: str


@dataclass(frozen=True)
class Command:
    """One command and its shown output; `not_run` is the reason why it is not run."""

    line: int
    text: str
    shown: tuple[str, ...]
    not_run: str | None

    @property
    def fails(self) -> bool:
        return any(re.search(r"\berror\b", line, re.IGNORECASE) for line in self.shown)


@dataclass
class Chapter:
    """A section with a second-level heading: its events and commands, in order."""

    title: str
    steps: list[Event | Command] = field(default_factory=list)


def read(path: Path) -> list[Chapter]:
    """The chapters with at least one event or command."""
    chapters = [Chapter("")]
    block: list[tuple[int, str]] | None = None
    not_run = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if block is not None:
            if line == "```":
                chapters[-1].steps += _commands(block, not_run)
                block = None
            else:
                block.append((number, line))
        elif opening := BLOCK.match(line):
            block, not_run = [], opening["not_run"]
        elif event := EVENT.match(line):
            chapters[-1].steps.append(Event(number, event["text"]))
        elif line.startswith("## "):
            chapters.append(Chapter(line.removeprefix("## ")))
    return [chapter for chapter in chapters if chapter.steps]


def _commands(lines: Iterable[tuple[int, str]], not_run: str | None) -> Iterator[Command]:
    typed: list[tuple[int, str]] = []
    shown: list[list[str]] = []
    for number, line in lines:
        if line.startswith("$ "):
            typed.append((number, line.removeprefix("$ ")))
            shown.append([])
        elif line.startswith("> ") and typed and not shown[-1]:
            typed[-1] = (typed[-1][0], f"{typed[-1][1]}\n{line.removeprefix('> ')}")
        elif line.strip():
            assert shown, f"line {number}: a block must begin with a command, after `$ `"
            shown[-1].append(line)
    for (number, text), output in zip(typed, shown, strict=True):
        yield Command(number, text, tuple(output), not_run)


def difference(shown: Iterable[str], printed: str) -> str | None:
    """The first line of `shown` that was not printed, with the whole output; None if the output matches."""
    lines = [canonical for line in printed.splitlines() if (canonical := _canonical(line))]
    text = "".join(f"{line}\n" for line in lines)
    pattern = ""
    for line in shown:
        longer = pattern + _pattern(_canonical(line))
        if not re.match(longer, text):
            return f"not printed: {line}\n\nall of it:\n{printed}"
        pattern = longer
    return None if re.fullmatch(pattern, text) else f"more was printed than is shown:\n{printed}"


def _canonical(line: str) -> str:
    for found, instead in SAME:
        line = found.sub(instead, line)
    return line.strip()


def _pattern(line: str) -> str:
    if line == ANYTHING:
        return r"(?:.*\n)*?"
    return re.escape(line).replace(re.escape(ANYTHING), ".*?") + r"\n"
