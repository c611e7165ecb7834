"""The recordings of `tests/recordings`: the doubles fit them, and they contain nothing of an account."""

from pathlib import Path
from types import ModuleType

import pytest

from compare import deviations, recording
from compare.diff import differences
from compare.recording import FOLDER, Recording
from compare.side import of_double
from tests import specification
from tests.appstore import description as appstore_description
from tests.compare import appstore_changes, fly_changes
from tests.compare.changes import Change
from tests.compare.runs import complete, of_changed_double, of_plain_double, ran
from tests.compare.scrubbed import suspicious
from tests.fly import description as fly_description

CHANGES = [("fly", fly_changes.CHANGES[3]), ("fly", fly_changes.CHANGES[18]), ("appstore", appstore_changes.CHANGES[0])]
RECORDINGS = sorted(FOLDER.glob("*.yaml"))
by_file = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


def unknown(seen: Recording) -> list[str]:
    """The lines in which the double deviates from a recording without a reason."""
    lines = differences(seen, of_plain_double(seen.vendor, options_of(seen)))
    return [line for line in lines if not deviations.reason(seen.vendor, line)]


def options_of(seen: Recording) -> tuple[str, ...]:
    """The options of the run, by the calls that only they make."""
    calls = {step.call for step in seen.steps}
    by_call = {
        "POST /v1/postgres": "postgres",
        "POST /v1/certificates": "certificate",
        "POST /v1/userInvitations": "testers",
    }
    return tuple(option for call, option in by_call.items() if call in calls)


@by_file
def test_double_fits_recording(path: Path) -> None:
    """After an intended change of a double, `make compare VENDOR=fly DOUBLE=1 KEEP=1` writes its own recording again."""
    seen = recording.load(path.read_text(encoding="utf-8"))
    known = {step.step for step in of_plain_double(seen.vendor, options_of(seen)).steps}

    assert unknown(seen) == []
    assert {step.step for step in seen.steps} - known == set()


@by_file
def test_nothing_secret_in_recording(path: Path) -> None:
    assert list(suspicious(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(("vendor", "change"), CHANGES, ids=lambda each: getattr(each, "name", each))
def test_recording_of_changed_double_fails(tmp_path: Path, vendor: str, change: Change) -> None:
    """At the place of the change, also after it was written to a file and read again."""
    seen = of_changed_double(vendor, change)
    path = recording.path_of(seen, tmp_path)
    path.write_text(recording.dump(seen), encoding="utf-8")

    (read,) = recording.kept(tmp_path)

    assert read == seen
    (line,) = unknown(read)
    assert line.startswith(change.line[0])


@pytest.mark.parametrize(
    ("vendor", "described", "options"),
    [("fly", fly_description, ("postgres",)), ("appstore", appstore_description, ("certificate", "testers"))],
    ids=["fly", "appstore"],
)
def test_answers_fit_description(vendor: str, described: ModuleType, options: tuple[str, ...]) -> None:
    """What the double answers in the script, also to wrong requests, fits the vendor's description, where that is available."""
    specification.load(described.NAME)
    expected = specification.conforming(f"{vendor}.test", described.NAME, described.DEVIATIONS, requests=False)

    with expected, of_double(vendor) as side:
        complete(ran(side, options=options))
