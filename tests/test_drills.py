"""Every drill passes, and a broken promise is reported and fails the drill."""

import subprocess
import sys
import types

import pytest

from harness.program import ROOT
from rehearsal import drills
from rehearsal.cloud.fly.programs import PROGRAMS
from rehearsal.drills.alert import NEEDED
from rehearsal.drills.drill import Drill
from tests.needs import needs

MONITOR = [PROGRAMS[image].binary for image in NEEDED]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(*MONITOR)) if name == "alert" else name for name in drills.DRILLS]
)
def test_drill(name: str) -> None:
    command = [sys.executable, "-m", "rehearsal", "drill", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     " in done.stdout


def test_broken_promise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(drill: Drill) -> None:
        drill.promise("the backend exists before the first `up`", drill.doubles.see("/fly/state")["fly_app"])

    broken = types.ModuleType("broken", "A drill that breaks its promise.")
    vars(broken)["run"] = run
    monkeypatch.setattr(drills, "_module", lambda name: broken)

    assert drills.run("broken", "embedded") == 1

    assert "DRILL FAILED: the backend exists before the first `up`" in capsys.readouterr().err


def test_list_of_drills() -> None:
    listed = drills.listed().splitlines()

    assert [line.split()[0] for line in listed] == list(drills.DRILLS)
    assert all(len(line.split(maxsplit=1)) == 2 for line in listed)
