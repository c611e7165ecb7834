"""The live stack, launched once and copied for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engine import StackInProcess
from tests.mistakes.production import launch


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInProcess]:
    """The stack that no test changes."""
    stack = launch(tmp_path_factory.mktemp("production") / "stack")
    yield stack
    stack.world.close()


@pytest.fixture
def live(production: StackInProcess, tmp_path: Path) -> Iterator[StackInProcess]:
    """A copy of it, with a copy of the world."""
    copy = production.copy(tmp_path / "live")
    yield copy
    copy.world.close()
