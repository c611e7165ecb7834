"""Fixtures for every test, what is skipped, and how many run at once."""

import gc
import itertools
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from harness import warm
from harness.inprocess import configured, settings, world
from harness.program import CONFIG
from providers import engine
from tests.needs import skip_without_programs

WAITING = (
    "tests/docs/test_runbook.py::test_commands_print_what_is_shown",
    "tests/rehearsal/",
    "tests/test_drills.py",
    "tests/program/",
)
"""The tests of whole programs, which mostly wait for processes, longest first."""
COMPUTING = (
    "tests/test_nothing_lost.py",
    "tests/mistakes/",
    "tests/test_corrupted_responses.py",
    "tests/program/test_mutated_settings.py",
)
"""The tests that compute longest."""
COMPUTING_FOR_EACH_WAITING = 4
__all__ = ["configured", "settings", "world"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cold", action="store_true", help="start the processes of tests with the real interpreter")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest first, because one that starts last would keep one core busy and the others idle; those that compute between those
    that wait."""
    computing = [item for start in COMPUTING for item in items if item.nodeid.startswith(start)]
    waiting = [item for start in WAITING for item in items if item.nodeid.startswith(start) and item not in computing]
    others = [item for item in items if not item.nodeid.startswith((*WAITING, *COMPUTING))]
    between = iter(computing)
    mixed = [each for item in waiting for each in (item, *itertools.islice(between, COMPUTING_FOR_EACH_WAITING))]
    items[:] = [*mixed, *between, *others]


def pytest_collection_finish() -> None:
    """What has been imported and collected stays until the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Adds to a count that the closing lines show: `counted("faults: nothing lost", 12)`."""
    return record_property


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The counts of all tests that passed, also of those that ran in other processes."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, count in report.user_properties if report.when == "call" else ():
            counts[name] += count
    for name, count in sorted(counts.items()):
        terminalreporter.write_line(f"{count} {name}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    skip_without_programs(item)


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep temporary files below pytest's own folder, which pytest clears: a run that is killed leaves none elsewhere."""
    folder = str(tmp_path_factory.mktemp("tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)  # of the processes that tests start
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """In the background of a script Ctrl-C is ignored, below `nohup` a hangup, and processes inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def warm_python(
    default_signals: None, temporary_files: None, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[None]:
    """Start Python processes by forking one that has imported everything, which takes a third of the time (`harness/warm`)."""
    if pytestconfig.getoption("--cold"):
        yield
        return
    folder = tmp_path_factory.mktemp("python")
    with warm.executable(folder) as executable, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", executable)
        patch.setitem(CONFIG, "archive", f"{executable} -m rehearsal ipa")
        yield


@pytest.fixture
def cold_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start Python processes with the real interpreter: for tests that kill them, or look at their command lines."""
    monkeypatch.setattr(sys, "executable", warm.REAL)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For `-n auto`: five for two cores, because the tests of whole programs mostly wait."""
    return 5 * (os.cpu_count() or 1) // 2


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All status lines of the providers, none of them dropped."""
    lines: list[str] = []

    def progress(action: str) -> engine.Show:
        return lambda detail="", left=None: lines.append(engine.line(action, detail, left))

    monkeypatch.setattr(engine, "progress", progress)
    return lines
