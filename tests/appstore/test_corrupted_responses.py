"""Corrupted responses in the journeys of the App Store resources (see `tests/corruption.py`)."""

from typing import Any

import pytest

from tests.appstore.journeys import JOURNEYS
from tests.corruption import survive


def test_corrupted_responses(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Each distinct call gets each of the twelve corruptions."""
    found = survive(JOURNEYS, settings)

    with capsys.disabled():
        print("", found, sep="\n")
    assert found.responses > 600
    assert not found.failures, "\n".join(found.failures)
