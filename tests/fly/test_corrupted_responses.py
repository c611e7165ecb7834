"""Corrupted responses in the journeys of the backend (see `tests/corruption.py`)."""

from typing import Any

import pytest

from tests.corruption import survive
from tests.fly.journeys import JOURNEYS


def test_corrupted_responses(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Each distinct call gets each of the twelve corruptions."""
    found = survive(JOURNEYS, settings)

    with capsys.disabled():
        print("", found, sep="\n")
    assert found.responses > 800
    assert not found.failures, "\n".join(found.failures)
