"""What people type on a live production stack by mistake: nothing is lost, nothing is down, and the preview says what would happen.

Each row is one change of a setting or of a line of fly.toml. A preview refuses it, with the reason and the way out, or shows all of
its steps. Then `up` is run in the most careless way there is: without a preview, and with a refresh.
"""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.engine import StackInProcess
from harness.program import FLY_TOML, ROOT
from providers.fly.appconfig import load
from providers.fly.appconfig.tables import Table
from tests.fly.flytoml import EVERYTHING
from tests.mistakes import fly_toml, settings
from tests.mistakes.mistake import RESTART, Mistake
from tests.mistakes.production import Outages, held, is_served

RESOURCE_REFUSED = re.compile(r"^ ✗ \w+:\w+ ", re.MULTILINE)
ROWS = (*settings.MISTAKES, *fly_toml.MISTAKES)


@pytest.mark.parametrize("mistake", ROWS, ids=lambda row: row.id)
def test_mistake(live: StackInProcess, mistake: Mistake) -> None:
    before, calls = held(live), len(live.world.journal.entries())
    mistake.make(live)

    assert (live.run("preview") != 0) == mistake.refused, live.text
    assert mistake.says in live.text
    assert mistake.refused or steps(live.text) == sorted(mistake.steps)
    assert len(live.world.journal.entries()) == calls, "a preview makes no call"
    if mistake.tried or RESOURCE_REFUSED.search(live.text):  # A setting is refused before there is any resource.
        outages = Outages(live)
        failed = live.run("up", "--skip-preview", "--refresh") != 0
        assert failed == bool(mistake.refused or mistake.fails), live.text
        assert mistake.fails in live.text
        after = held(live)
        assert {key for key in before if before[key] - after[key]} == set(mistake.gives_up)
        assert is_served(live)
        assert not outages.seen or RESTART[0] in mistake.steps or "restart" in mistake.says


def steps(text: str) -> list[str]:
    """The steps of a preview, each as its symbol and the name of the resource."""
    found = re.findall(r"^ ([+~±-]) \w+:\w+ +(\S+) \w+$", text, re.MULTILINE)
    return sorted(" ".join(step) for step in found)


def test_what_is_given_up_was_confirmed() -> None:
    assert [row.id for row in ROWS if row.gives_up and not (row.confirmed or row.refused)] == []


def test_each_setting_has_a_row() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]

    keys = {key for key in declared if ":" not in key}
    without = keys - {row.key for row in settings.MISTAKES}
    assert without == set(), "add a row to tests/mistakes/settings.py: what a change of the key does to a live stack"


def test_fly_toml_lines_have_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key that the reader asks for, and every table: of a file with all of them, and of the one that the stack has."""
    asked = set()
    for name in ("take", "duration"):
        read = getattr(Table, name)

        def recorded(table: Table, key: str, *args: Any, read: Any = read, **options: Any) -> Any:
            asked.add(re.sub(r"\[\d+\]", "", ".".join((*table.path, key))))
            return read(table, key, *args, **options)

        monkeypatch.setattr(Table, name, recorded)
    (tmp_path / "motd").touch()
    (tmp_path / "fly.toml").write_text(EVERYTHING)

    for file in (tmp_path / "fly.toml", FLY_TOML):
        load(file)

    keys = {row.key for row in fly_toml.MISTAKES}
    tables = {key.rpartition(".")[0] for key in keys}
    assert sorted(key for key in asked - tables if not any(fnmatch(key, item) for item in keys)) == []


def test_nothing_changed(live: StackInProcess) -> None:
    """The stack itself is at rest, so whatever a row shows comes from its mistake."""
    assert live.run("up", "--expect-no-changes") == 0, live.text
