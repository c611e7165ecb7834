"""The steps that drills are written with: a stack with its doubles and people, edits, `up`, and checked promises."""

import json
import shlex
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from rehearsal.doubles import Doubles
from rehearsal.people import AppForm, People
from rehearsal.stack import RehearsalStack, rehearsal_file

IMAGE = "registry.fly.io/solserver:1.0.0"
MARGIN = "    "
SUMMARY = "Resources:"
"""The first line of the summary at the end of a run's output."""
WIDTH = 120


class Failed(Exception):
    """The outcome differs from what the runbook promises, or the drill cannot run here; the message says which."""


class Drill:
    """The stack of Pulumi.rehearsal.yaml, its doubles, and the people around it. A context manager."""

    def __init__(self, folder: Path, engine: str, doubles: Doubles) -> None:
        self.doubles = doubles
        self.stack = RehearsalStack("drill", rehearsal_file(), folder, engine, doubles)
        self.stack.configure(
            {
                "endpoints": doubles.endpoints,
                "ipa": str(folder / "solmobile.ipa"),
                "archive": f"{shlex.quote(sys.executable)} -m rehearsal ipa",
                "credentialsFile": None,
                # A restore drill in each `up` would only cost time here.
                "database": {"kind": "sqlite", "restoreDrill": "false"},
            }
        )
        config = self.stack.config
        form = AppForm(config["bundleId"], config["appName"], sku=config["bundleId"])
        self.testers: list[dict[str, str]] = config["testers"]
        self.people = People(doubles.control, form, self.testers)

    def __enter__(self) -> Self:
        self.people.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.people.__exit__(*exception)

    # What the drill shows and does.

    def say(self, text: str) -> None:
        """Print what happens next, and why."""
        print(f"\n{textwrap.fill(text, WIDTH)}", flush=True)

    def edit(self, **keys: Any) -> None:
        """Print and make a change of the stack file. None removes one."""
        print(f"\n{MARGIN}Pulumi.{self.stack.name}.yaml", flush=True)
        for key, value in keys.items():
            for line in _changes(f"{self.stack.project}:{key}", self.stack.config.get(key), value):
                print(f"{MARGIN}{line}", flush=True)
        self.stack.configure(keys)

    def launch(self) -> None:
        """Run the first `up`, and show only the end of its output. Raises Failed if it fails."""
        self.say(
            "First deployment, with the configuration of Pulumi.rehearsal.yaml. Only the end of the output is shown."
        )
        lines: list[str] = []
        code = self._run("up", lines, "--skip-preview", shown=False)
        end = lines.index(SUMMARY) if code == 0 else 0
        print(*(f"{MARGIN}{line}" for line in lines[end:]), "", sep="\n", flush=True)
        if code:
            raise Failed("the first `up` failed")

    def up(self, *options: str, **environment: str) -> str:
        """Run `pulumi up`, which must succeed, with these variables in its environment; returns its output."""
        return self._checked("up", options, environment, succeeds=True)

    def failing_up(self, *options: str) -> str:
        """Run `pulumi up`, which must fail; returns its output."""
        return self._checked("up", options, {}, succeeds=False)

    def promise(self, what: str, holds: object) -> None:
        """Print and check what the runbook promises at this point. Raises Failed unless it holds."""
        print(f"{MARGIN}{'ok     ' if holds else 'BROKEN '}{what}", flush=True)
        if not holds:
            raise Failed(what)

    # What exists.

    @property
    def app(self) -> str:
        """The name of the backend's app."""
        return str(
            self._only(
                "fly_app", lambda app: app["name"].startswith(self.stack.config["app"]) and "monitor" not in app["name"]
            )["name"]
        )

    @property
    def hostname(self) -> str:
        return f"{self.app}.fly.dev"

    @property
    def machine(self) -> dict[str, Any]:
        return self._only("fly_machine", lambda machine: machine["name"] == "solserver")

    @property
    def volume(self) -> dict[str, Any]:
        return self._only("fly_volume", lambda volume: volume["name"] == "data" and volume["_deleted_at"] is None)

    def health(self) -> Any:
        """The health response that users get."""
        return self.doubles.browse(self.hostname, "/health")[1]

    def write(self, *notes: str) -> None:
        """Let a user write notes into the database."""
        for text in notes:
            self.doubles.browse(self.hostname, "/notes", text=text)

    def notes(self) -> list[str]:
        """The notes that users get; empty if the backend does not respond with 200."""
        status, response = self.doubles.browse(self.hostname, "/notes")
        return [note["text"] for note in response] if status == 200 else []

    def _only(self, kind: str, matches: Any) -> dict[str, Any]:
        found = [item for item in self.doubles.see("/fly/state")[kind] if matches(item)]
        if len(found) != 1:
            raise Failed(f"expected one {kind}, found {len(found)}")
        only: dict[str, Any] = found[0]
        return only

    def _checked(self, operation: str, options: tuple[str, ...], environment: dict[str, str], *, succeeds: bool) -> str:
        lines: list[str] = []
        code = self._run(operation, lines, *options, shown=True, **environment)
        print(flush=True)
        if (code == 0) != succeeds:
            raise Failed(f"`pulumi {operation}` {'failed' if succeeds else 'succeeded'} unexpectedly")
        return "\n".join(lines)

    def _run(self, operation: str, lines: list[str], *options: str, shown: bool, **environment: str) -> int:
        def on_line(line: str) -> None:
            lines.append(line)
            if shown:
                print(f"{MARGIN}{line}", flush=True)

        given = "".join(f"{name}={shlex.quote(value)} " for name, value in environment.items())
        print(f"\n{MARGIN}$ {given}pulumi {shlex.join([operation, *options])}", flush=True)
        return self.stack.run(operation, *options, on_line=on_line, environment=environment)


def _changes(key: str, before: Any, after: Any) -> Iterator[str]:
    """A line for each value that changes, and for each list item that is added or removed."""
    if isinstance(before, list) and isinstance(after, list):
        yield from (f"- {key}: {_shown(entry)}" for entry in before if entry not in after)
        yield from (f"+ {key}: {_shown(entry)}" for entry in after if entry not in before)
    elif isinstance(after, dict):
        before = before or {}
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"~ {key}.{name}: {_shown(before.get(name))} => {_shown(after.get(name))}"
    else:
        yield f"~ {key}: {_shown(before)} => {_shown(after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, dict) and value.keys() == {"secure"}:
        return "[secret]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
