"""The recordings of `tests/recordings`: the doubles fit them, and they contain nothing of an account."""

from pathlib import Path

import pytest

from compare import recording
from compare.diff import differences
from compare.recording import FOLDER, Recording
from compare.side import of_double
from tests import specification
from tests.compare import fly_changes
from tests.compare.changes import Change
from tests.compare.runs import complete, of_changed_double, of_plain_double, ran
from tests.compare.scrubbed import suspicious
from tests.fly import description as fly_description

RECORDINGS = sorted(FOLDER.glob("*.yaml"))
DEVIATIONS: dict[str, str] = {}
"""Parts of lines in which a double deviates from a recording on purpose, each with its reason."""
by_file = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


def deviations(seen: Recording) -> list[str]:
    """The lines in which the double deviates from a recording without a reason."""
    lines = differences(seen, of_plain_double(seen.vendor, options_of(seen)))
    return [line for line in lines if not any(part in line for part in DEVIATIONS)]


def options_of(seen: Recording) -> tuple[str, ...]:
    return ("postgres",) if any(step.call == "POST /v1/postgres" for step in seen.steps) else ()


@by_file
def test_double_fits_recording(path: Path) -> None:
    assert deviations(recording.load(path.read_text(encoding="utf-8"))) == []


@by_file
def test_nothing_secret_in_recording(path: Path) -> None:
    assert list(suspicious(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("change", fly_changes.CHANGES[::4], ids=lambda change: change.name)
def test_recording_of_changed_double_fails(tmp_path: Path, change: Change) -> None:
    """At the place of the change, also after it was written to a file and read again."""
    seen = of_changed_double("fly", change)
    path = recording.path_of(seen, tmp_path)
    path.write_text(recording.dump(seen), encoding="utf-8")

    (read,) = recording.kept(tmp_path)

    assert read == seen
    (line,) = deviations(read)
    assert line.startswith(change.told[0])


def test_answers_fit_description() -> None:
    """What the double answers in the script, also to wrong requests, fits Fly's description, where that is available."""
    specification.load(fly_description.NAME)
    expected = specification.conforming("fly.test", fly_description.NAME, fly_description.DEVIATIONS, requests=False)

    with expected, of_double("fly") as side:
        complete(ran(side, options=["postgres"]))
