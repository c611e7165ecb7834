"""Corrupted responses in the journeys of the App Store resources (see `tests/corruption.py`)."""

from collections.abc import Callable
from typing import Any

from tests.appstore.journeys import JOURNEYS
from tests.corruption import survive


def test_corrupted_responses(settings: dict[str, Any], counted: Callable[[str, int], None]) -> None:
    """Each distinct call gets each of the twelve corruptions."""
    found = survive(JOURNEYS, settings)

    counted("corrupted responses", found.responses)
    assert found.responses > 600
    assert not found.failures, "\n".join(found.failures)
