"""The fault matrix (`tests/fault_matrix.py`) of all vendors.

It stands outside of `tests/fly` and `tests/appstore`: injected failures do not conform to the vendors' descriptions.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.appstore.journeys import JOURNEYS as APPSTORE
from tests.betterstack.journeys import JOURNEYS as BETTERSTACK
from tests.fault_matrix import Journey, failures, in_parts, points, run_journey
from tests.fly.journeys import JOURNEYS as FLY


@in_parts([*FLY, *APPSTORE, *BETTERSTACK])
def test_nothing_lost(
    settings: dict[str, Any], journey: Journey, part: int, counted: Callable[[str, int], None]
) -> None:
    """Each call fails or is interrupted in turn, and the next up ends in the same state."""
    found = failures(settings, journey, part)

    counted("faults injected into calls: nothing lost, no traceback", len(found))
    assert {point: wrong for point, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("journeys", "least"), [(FLY, 2300), (APPSTORE, 900), (BETTERSTACK, 40)], ids=["fly", "appstore", "betterstack"]
)
def test_number_of_points(settings: dict[str, Any], journeys: tuple[Journey, ...], least: int) -> None:
    assert sum(len(points(run_journey(settings, journey)[1])) for journey in journeys) >= least
