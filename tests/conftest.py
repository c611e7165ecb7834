"""Fixtures for every test, and how many run at once."""

import os

import pytest

from harness.inprocess import configured, settings, world

__all__ = ["configured", "settings", "world"]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For `-n auto`: two a core, because the tests of whole programs mostly wait."""
    return 2 * (os.cpu_count() or 1)
