"""Fixtures for every test, what is skipped, and how many run at once."""

import os
import tempfile
from collections.abc import Iterator

import pytest

from harness.inprocess import configured, settings, world
from tests.needs import skip_without_programs

__all__ = ["configured", "settings", "world"]


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


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For `-n auto`: two a core, because the tests of whole programs mostly wait."""
    return 2 * (os.cpu_count() or 1)
