"""Corrupted responses of both vendors in the journeys of their resources (`tests/corruption.py`).

It stands outside of `tests/fly` and `tests/appstore`: corrupted responses do not conform to the vendors' descriptions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.appstore.journeys import JOURNEYS as APPSTORE
from tests.corruption import survive
from tests.fault_matrix import Journey
from tests.fly.journeys import JOURNEYS as FLY


@pytest.mark.parametrize(("journeys", "least"), [(FLY, 800), (APPSTORE, 600)], ids=["fly", "appstore"])
def test_corrupted_responses(
    settings: dict[str, Any], journeys: Sequence[Journey], least: int, counted: Callable[[str, int], None]
) -> None:
    """Each distinct call gets each of the twelve corruptions."""
    found = survive(journeys, settings)

    counted("corrupted responses", found.responses)
    assert found.responses > least
    assert not found.failures, "\n".join(found.failures)
