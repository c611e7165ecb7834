"""The fault matrix (`tests/fault_matrix.py`) of the App Store resources."""

from typing import Any

import pytest

from tests.appstore.journeys import JOURNEYS
from tests.fault_matrix import explore


def test_nothing_lost(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Each call fails or is interrupted in turn, and the next up ends in the same state."""
    found = explore(JOURNEYS, settings)

    with capsys.disabled():
        print("", found, sep="\n")
    assert found.points > 500
    assert not found.failures, "\n".join(f"{point}: {wrong}" for point, wrong in found.failures.items())
