"""One run of a script, as a YAML file that people can read and review. It contains no value of the account (`shape.py`)."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from compare.script import Script, Step
from compare.shape import Reducer, Shape, strings
from compare.wire import Answer
from project.files import DUMPER, LOADER

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "recordings"
DOUBLE = "double"
"""The source of a recording that is not evidence."""
IGNORED_HEADERS = frozenset(
    """
    age alt-svc cache-control connection content-encoding content-length date etag expires keep-alive nel report-to server
    set-cookie strict-transport-security transfer-encoding vary via x-content-type-options x-frame-options x-xss-protection
    """.split()  # noqa: SIM905 (easier to read than a column of strings)
)
"""Headers of the transport and of proxies, which no client of an API reads."""
HEADER = """\
# What one run of `make compare VENDOR={vendor}` has seen (infra-docs/COMPARE.md): types and the vendor's words, no values.
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The answer to one step. A step that needs a value that no answer had is not sent: `missing` is the name of that value."""

    step: str
    call: str
    """As in the vendor's page: `GET /v1/apps/{id}`."""
    status: int = 0
    after: int = 0
    """Whole seconds until the answer, or until a poll saw what it waited for."""
    outcomes: tuple[str, ...] = ()
    """What a poll saw, in this order."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Shape = None
    kept: tuple[str, ...] = ()
    """The names of the values that later steps use."""
    missing: str = ""
    foreign: bool = False
    """It shows what the account has. Nothing of that is a difference between the vendor and its double."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    vendor: str
    source: str
    """`Fly.io`, or `double`."""
    date: dt.date
    steps: Sequence[Seen]

    @property
    def calls(self) -> set[str]:
        """The calls that were answered, as the vendor's page has them."""
        return {seen.call for seen in self.steps if seen.status}


class Recorder:
    """Collects raw answers, and reduces them at the end of the run, when all private values are known."""

    def __init__(self, script: Script, *, source: str, date: dt.date) -> None:
        self._script, self._source, self._date = script, source, date
        self._added: list[tuple[Step, Answer, Seen]] = []

    def add(
        self, step: Step, answer: Answer, *, outcomes: tuple[str, ...], seconds: float, kept: Mapping[str, str]
    ) -> None:
        seen = Seen(
            step=step.name,
            call=step.in_table,
            status=answer.status,
            after=round(seconds),
            outcomes=outcomes,
            kept=tuple(sorted(kept)),
            foreign=step.foreign,
        )
        self._added.append((step, answer, seen))

    def skip(self, step: Step, missing: str) -> None:
        """Note a step that cannot be sent."""
        nothing = Answer(status=0, headers={}, content=b"", seconds=0.0)
        self._added.append((step, nothing, Seen(step=step.name, call=step.in_table, missing=missing)))

    def recording(self, values: Mapping[str, str]) -> Recording:
        """What was seen. `values` are the private values of the run."""
        answered = [answer.json() for _, answer, _ in self._added]
        reducer = Reducer(values.values(), {text for body in answered for text in strings(body)})
        steps = [self._reduced(step, answer, seen, reducer) for step, answer, seen in self._added]
        return Recording(vendor=self._script.vendor, source=self._source, date=self._date, steps=steps)

    def _reduced(self, step: Step, answer: Answer, seen: Seen, reducer: Reducer) -> Seen:
        body = answer.json()
        if body is None:
            shape: Shape = {b"": None, b"null": "<null>"}.get(answer.content.strip(), "<not JSON>")
        else:
            shape = reducer.reduce(body, foreign=step.foreign and answer.is_success)
        headers = {name: _value(name, value) for name, value in sorted(answer.headers.items())}
        kept = {name: value for name, value in headers.items() if name not in IGNORED_HEADERS}
        return dataclasses.replace(seen, headers=kept, body=shape)


def dump(recording: Recording) -> str:
    """The text of the file."""
    about = {"vendor": recording.vendor, "source": recording.source, "date": recording.date}
    steps = [
        {name: _plain(value) for name, value in vars(seen).items() if value or (name == "body" and value is not None)}
        for seen in recording.steps
    ]
    text = yaml.dump(
        {**about, "steps": steps},
        Dumper=DUMPER,
        sort_keys=False,
        default_flow_style=None,
        width=140,
        allow_unicode=True,
    )
    return HEADER.format(vendor=recording.vendor) + text.replace("\n- step:", "\n\n- step:")


def load(text: str) -> Recording:
    """The recording of the text of a file."""
    document: dict[str, Any] = yaml.load(text, LOADER)  # noqa: S506 (both loaders are safe)
    tuples = ("outcomes", "kept")
    given: list[dict[str, Any]] = document.pop("steps")
    steps = [Seen(**seen | {name: tuple(seen[name]) for name in tuples if name in seen}) for seen in given]
    return Recording(**document, steps=steps)


def kept(folder: Path | None = None) -> list[Recording]:
    """All recordings of a folder."""
    return [load(path.read_text(encoding="utf-8")) for path in sorted((folder or FOLDER).glob("*.yaml"))]


def path_of(recording: Recording, folder: Path | None = None) -> Path:
    """Where it is kept. A later run of the same source replaces it: Git has the earlier ones."""
    kind = ".double" if recording.source == DOUBLE else ""
    return (folder or FOLDER) / f"{recording.vendor}{kind}.yaml"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _value(name: str, value: str) -> str:
    """What is kept of a header: the media type, the names of limits, the scheme of an authentication."""
    if name == "content-type":
        return value.partition(";")[0]
    if name == "www-authenticate":
        return value.partition(" ")[0]
    if name == "x-rate-limit":
        return ", ".join(sorted(limit.partition(":")[0] for limit in value.split(";") if limit))
    return "<number>" if value.replace(".", "", 1).isdecimal() else "<text>"
