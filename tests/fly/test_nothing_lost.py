"""The fault matrix of the backend (see `tests/fault_matrix.py`)."""

from typing import Any

import pytest

from tests.fault_matrix import explore
from tests.fly.journeys import JOURNEYS


def test_backend_survives_faults(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = explore(JOURNEYS, settings)

    with capsys.disabled():
        print("", found, sep="\n")
    assert found.points > 1000
    assert not found.failures, "\n".join(f"{point}: {wrong}" for point, wrong in found.failures.items())
