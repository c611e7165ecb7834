"""Corrupted responses in the journeys of the backend (see `tests/corruption.py`)."""

from collections.abc import Callable
from typing import Any

from tests.corruption import survive
from tests.fly.journeys import JOURNEYS


def test_corrupted_responses(settings: dict[str, Any], counted: Callable[[str, int], None]) -> None:
    """Each distinct call gets each of the twelve corruptions."""
    found = survive(JOURNEYS, settings)

    counted("corrupted responses", found.responses)
    assert found.responses > 800
    assert not found.failures, "\n".join(found.failures)
