"""The fault matrix of the Apple side: what it is, `tests/fault_matrix.py` says."""

from typing import Any

import pytest

from tests.appstore.journeys import JOURNEYS
from tests.fault_matrix import explore


def test_nothing_is_lost_whatever_happens_to_any_call(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = explore(JOURNEYS, settings)

    with capsys.disabled():
        print("", found, sep="\n")
    assert found.points > 500
    assert not found.failures, "\n".join(f"{point}: {wrong}" for point, wrong in found.failures.items())
