"""Runs each command of infra-docs/PRODUCTION_DEPLOYMENT.md against the doubles and compares its output with the document.

Chapters run on the Pulumi CLI, or on the embedded engine if the CLI is not installed. Chapters that begin in a launched world
each get a copy of the same one. Commands that cannot run here are checked for their syntax, and counted.
"""

import fcntl
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from harness.program import ROOT, has_pulumi
from tests.docs.console import Chapter, Command, Event, difference, read
from tests.docs.rehearsed import IPA, World, absent_monitor
from tests.needs import find, needs, uses
from tests.program.watching import MONITOR

PATH = ROOT / "infra-docs" / "PRODUCTION_DEPLOYMENT.md"
CHAPTERS = read(PATH)
COMMANDS = [step for chapter in CHAPTERS for step in chapter.steps if isinstance(step, Command)]
FROM_NOTHING, LAUNCHED = "in an empty world", "in a launched world"
"""The first event of a chapter. Without either, the chapter continues in the world of the one before."""
FIRST_DEPLOYMENT = "First deployment"
NOT_EMBEDDED = re.compile(r"\bpulumi (version|cancel)\b|\bmake preflight\b")
"""Commands that the embedded engine lacks, or that check for the Pulumi CLI."""

MIN_RUN = {"embedded": 107, "pulumi": 110}
"""How many commands run on either engine, at least, with flyctl: raise it with each that is added."""


def not_run_on(engine: str, command: Command) -> bool:
    return bool(command.not_run) or (engine == "embedded" and bool(NOT_EMBEDDED.search(command.text)))


def not_run_here(command: Command) -> str | None:
    """The reason why a command is not run here; None if it is run."""
    if command.not_run:
        return command.not_run
    if re.search(r"\bfly [a-z]", command.text) and find("fly") is None:
        return "needs flyctl"
    if NOT_EMBEDDED.search(command.text) and not has_pulumi():
        return "needs the Pulumi CLI"
    return None


def stories() -> list[list[Chapter]]:
    """Chapters grouped by the world that they share."""
    grouped: list[list[Chapter]] = []
    for chapter in CHAPTERS:
        first = chapter.steps[0]
        if not grouped or (isinstance(first, Event) and first.text in (FROM_NOTHING, LAUNCHED)):
            grouped.append([])
        grouped[-1].append(chapter)
    return grouped


def called(story: list[Chapter]) -> Iterator[str]:
    """The programs that a story calls, of those that a shell may be without."""
    for step in (step for chapter in story for step in chapter.steps):
        if isinstance(step, Command) and not not_run_here(step):
            yield from re.findall(r"\b(?:awk|grep|openssl|sed)\b", step.text)


def parameter(story: list[Chapter]) -> ParameterSet:
    with_monitor = any(chapter.title == FIRST_DEPLOYMENT for chapter in story)
    marks = [needs(*sorted(set(called(story)))), *([uses(*MONITOR)] if with_monitor else [])]
    return pytest.param(story, marks=marks, id="; ".join(chapter.title for chapter in story))


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a launched world, created once for all workers, without the monitor: one chapter launches with it."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    folder = shared / "runbook-launched"
    with (shared / "runbook-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            launch(folder)
    return folder


def launch(folder: Path) -> None:
    folder.mkdir()
    world = World(folder)
    world.use_known_salt()
    world.without_monitor()
    world.archive("1.0.0", "0")
    world.configure(ipa=IPA)
    world.type("pulumi stack init prod && pulumi up --stack prod")  # stops until a person fills in Apple's form
    world.fill_in_apples_form()
    world.type("pulumi up --stack prod")
    world.install("1.0.0", "0")
    world.sign_off()
    world.configure(declaredBy="Mara Lindqvist")
    code, printed = world.type("pulumi up --stack prod")
    world.close()
    assert code == 0, printed


@pytest.mark.parametrize("story", [parameter(story) for story in stories()])
def test_commands_print_what_is_shown(
    story: list[Chapter],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    counted: Callable[[str, int], None],
) -> None:
    folder = tmp_path / "world"
    if story[0].steps[0] == Event(story[0].steps[0].line, LAUNCHED):
        subprocess.run(["cp", "-a", request.getfixturevalue("launched"), folder], check=True)
    else:
        folder.mkdir()
    world = World(folder)
    try:
        for step in (step for chapter in story for step in chapter.steps):
            if problem := perform(step, world) if isinstance(step, Event) else run(step, world):
                pytest.fail(f"{PATH.name}:{step.line}: {step.text}\n{problem}", pytrace=False)
    finally:
        world.close()
    commands = [step for chapter in story for step in chapter.steps if isinstance(step, Command)]
    engine = "Pulumi CLI" if has_pulumi() else "embedded engine"
    run_here = sum(not_run_here(command) is None for command in commands)
    counted(f"of {len(COMMANDS)} commands of the runbook ran on the {engine}, and printed what is shown", run_here)


def perform(event: Event, world: World) -> str | None:
    """Make the event happen; returns the problem, if any."""
    if event.text in (FROM_NOTHING, LAUNCHED):
        return None
    try:
        world.perform(event)
    except AssertionError as error:
        return str(error)
    return None


def run(command: Command, world: World) -> str | None:
    """Run the command; returns how its result differs from the document, if it does."""
    if not_run_here(command):
        return None
    code, printed = world.type(command.text)
    if bool(code) != command.fails:
        return f"exit code {code}, though it is shown to {'fail' if command.fails else 'succeed'}:\n{printed}"
    return difference(filter(is_printed_here, command.shown), printed)


def is_printed_here(line: str) -> bool:
    """The embedded engine shows a replacement as one step, the CLI as three."""
    return has_pulumi() or not line.startswith((" ++ ", " -- "))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"line {command.line}")
def test_command_has_valid_syntax(command: Command) -> None:
    done = subprocess.run(["bash", "-n", "-c", command.text], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("engine", MIN_RUN)
def test_no_fewer_commands_run(engine: str) -> None:
    """A command that cannot run any more is a loss, even where it is marked."""
    assert sum(not not_run_on(engine, command) for command in COMMANDS) >= MIN_RUN[engine]


def test_skipped_commands_are_counted() -> None:
    reasons = Counter(filter(None, map(not_run_here, COMMANDS)))
    if absent := absent_monitor():
        reasons[f"needs {', '.join(absent)}: the monitor's drill in {FIRST_DEPLOYMENT!r}"] = 1

    if reasons:
        counts = "; ".join(f"{count}: {reason}" for reason, count in reasons.items())
        pytest.skip(f"NOT TESTED: {reasons.total()} of {len(COMMANDS)} commands of the runbook ({counts})")


def test_every_alert_is_listed() -> None:
    sections = re.findall(
        r"^### Alert: (\w+)$", (ROOT / "infra-docs" / "ALERTS.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    listed = re.findall(r"^\| \[(\w+)\]\(ALERTS\.md#alert-(\w+)\)", PATH.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(listed) == sorted((alert, alert.lower()) for alert in sections)


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\]\((?!https://)([^)\s]+)\)", PATH.read_text(encoding="utf-8"))))
)
def test_links_resolve(target: str) -> None:
    name, _, section = target.partition("#")
    document = PATH.parent / name if name else PATH
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert not section or section in anchors
