"""Corrupted responses of all vendors in the journeys of their resources (`tests/corruption.py`).

It stands outside of `tests/fly` and `tests/appstore`: corrupted responses do not conform to the vendors' descriptions.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.appstore.journeys import JOURNEYS as APPSTORE
from tests.betterstack.journeys import JOURNEYS as BETTERSTACK
from tests.corruption import PAGES, survive
from tests.fault_matrix import Journey
from tests.fly.journeys import CHECKS
from tests.fly.journeys import JOURNEYS as FLY


@pytest.mark.parametrize("journey", [*FLY, *CHECKS, *APPSTORE, *BETTERSTACK], ids=lambda journey: journey.name)
def test_corrupted_responses(settings: dict[str, Any], journey: Journey, counted: Callable[[str, int], None]) -> None:
    """Each distinct call, and each refusal, gets each of the corruptions."""
    found = survive(journey, settings)

    counted("corrupted responses", found.responses)
    assert found.responses >= len(PAGES)
    assert not found.failures, "\n".join(found.failures)
