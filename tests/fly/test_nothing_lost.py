"""Nothing is lost, left over or made twice, whatever happens to any single API call, and whenever the process dies.

For each journey, and each call that it makes: every peril in turn, then the same journey once more without one. The world
must then hold exactly what it holds when nothing ever goes wrong.
"""

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import pytest

from tests.fly.journeys import JOURNEYS, point, travel
from tests.fly.peril import PERILS


def test_nothing_is_lost_whatever_happens_to_any_call(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    points: dict[str, Future[str]] = {}
    lines: list[str] = []

    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        for name in JOURNEYS:
            expected, calls = travel(settings, name)
            for at, call in enumerate(calls):
                for peril in PERILS:
                    key = f"{name}: {peril} at call {at}, {call}"
                    points[key] = processes.submit(point, settings, name, expected, peril, at)
            lines.append(f"{name}: {len(calls)} calls, {len(PERILS)} perils each")
    astray = {key: found.result() for key, found in points.items() if found.result()}

    with capsys.disabled():
        print("", *lines, f"{len(points)} points, {len(points) - len(astray)} converged", sep="\n")
    assert len(points) > 1000
    assert not astray, "\n".join(f"{key}: {found}" for key, found in astray.items())
