"""infra-docs/PRODUCTION_DEPLOYMENT.md does what it says: each command is run against the doubles, and prints what is shown.

Chapters run side by side, each in a copy of one launched world, on the Pulumi CLI where it is installed, else on the embedded
engine. What only people can run is checked for its syntax, and counted in the closing line.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.console import Chapter, Command, Event, difference, read
from tests.docs.rehearsed import World
from tests.program.stack import ROOT, has_pulumi

PATH = ROOT / "infra-docs" / "PRODUCTION_DEPLOYMENT.md"
CHAPTERS = read(PATH)
COMMANDS = [step for chapter in CHAPTERS for step in chapter.steps if isinstance(step, Command)]
FROM_NOTHING, LAUNCHED = "in an empty world", "in a launched world"
"""What the first comment of a chapter may say; without either, it goes on in the world of the one before."""
USAGE = 2
SIDE_BY_SIDE = 4


@dataclass
class Story:
    """Chapters that happen in one world, one after another; `problems` by title, and commands that the engine does not have."""

    chapters: list[Chapter]
    problems: dict[str, str] = field(default_factory=dict)
    not_had: list[str] = field(default_factory=list)

    @property
    def begins(self) -> str:
        first = self.chapters[0].steps[0]
        return first.text if isinstance(first, Event) else ""

    def play(self, world: World) -> None:
        for chapter in self.chapters:
            for step in chapter.steps:
                if isinstance(step, Event):
                    if step.text not in (FROM_NOTHING, LAUNCHED):
                        world.perform(step)
                elif step.not_run is None and (problem := self._run(step, world)):
                    self.problems[chapter.title] = f"{PATH.name}:{step.line}: $ {step.text}\n{problem}"
                    return

    def _run(self, command: Command, world: World) -> str | None:
        code, printed = world.type(command.text)
        if code == USAGE and command.text.startswith("pulumi ") and not has_pulumi():
            self.not_had.append(command.text)
            return None
        if bool(code) != command.fails:
            return f"exit code {code}, though it is shown to {'fail' if command.fails else 'succeed'}:\n{printed}"
        return difference(command.shown, printed)


def stories() -> list[Story]:
    told: list[Story] = []
    for chapter in CHAPTERS:
        first = chapter.steps[0]
        if not told or (isinstance(first, Event) and first.text in (FROM_NOTHING, LAUNCHED)):
            told.append(Story([]))
        told[-1].chapters.append(chapter)
    return told


def launch(folder: Path) -> None:
    """The launched world that chapters get copies of. The monitor is left out: one chapter launches with it."""
    folder.mkdir()
    world = World(folder)
    world.without_a_monitor()
    world.archive("1.0.0", "0")
    for let_happen in (world.fill_in_apples_form, lambda: world.install("1.0.0", "0")):
        code, printed = world.type("pulumi stack init prod; pulumi up --stack prod")
        let_happen()
    world.sign_off()
    world.configure(declaredBy="Mara Lindqvist")
    code, printed = world.type("pulumi up --stack prod")
    world.close()
    assert code == 0, printed


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> list[Story]:
    """All of them, to the end."""
    root = tmp_path_factory.mktemp("runbook")

    def play(number: int, story: Story, launched: Future[None]) -> None:
        folder = root / f"story-{number}"
        if story.begins == LAUNCHED:
            launched.result()
            subprocess.run(["cp", "-a", root / "launched", folder], check=True)
        else:
            folder.mkdir()
        world = World(folder)
        try:
            story.play(world)
        finally:
            world.close()

    told = stories()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        launched = threads.submit(launch, root / "launched")
        for future in [threads.submit(play, number, story, launched) for number, story in enumerate(told)]:
            future.result()
    return told


@pytest.mark.parametrize("title", [chapter.title for chapter in CHAPTERS])
def test_a_chapter_does_what_it_says(title: str, played: list[Story]) -> None:
    (story,) = (each for each in played if title in [chapter.title for chapter in each.chapters])

    assert story.problems.get(title) is None, story.problems[title]
    assert not story.problems, f"not reached, for `{next(iter(story.problems))}` failed before it"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"line {command.line}")
def test_a_command_is_one_for_the_shell(command: Command) -> None:
    done = subprocess.run(["bash", "-n", "-c", command.text], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_what_only_people_can_run_is_counted(played: list[Story]) -> None:
    reasons = Counter(command.not_run for command in COMMANDS if command.not_run)
    reasons.update("the embedded engine does not have it" for story in played for _ in story.not_had)

    if reasons:
        told = ", ".join(f"{count} for {reason}" for reason, count in reasons.items())
        pytest.skip(f"NOT TESTED: {reasons.total()} of {len(COMMANDS)} commands of the runbook: {told}")
