"""The number of API calls of a first `up`, an update and a no-op of the whole launch, compared to the minimum."""

from collections.abc import Sequence
from typing import Any

from bench.counted import report
from bench.launched import NEXT_RELEASE, new_launch
from bench.options import Options
from bench.smallest import APPLE_FIRST, APPLE_UPDATE, BACKEND_FIRST, BACKEND_UPDATE, Need

APPLE = ("appstore", "storage")


def run(options: Options) -> None:
    with new_launch() as launch:
        seen = 0

        def new_calls() -> list[dict[str, Any]]:
            nonlocal seen
            entries = launch.journal()
            new, seen = entries[seen:], len(entries)
            return new

        launch.first_up()
        _report_sides("first up", new_calls(), BACKEND_FIRST, APPLE_FIRST)
        launch.install()
        new_calls()
        launch.run("up")
        _report_sides("no-op", new_calls(), (), ())
        launch.release_next(NEXT_RELEASE, build="0.1")
        launch.run("up", "--skip-preview")
        _report_sides("update", new_calls(), BACKEND_UPDATE, APPLE_UPDATE)


def _report_sides(
    phase: str, journal: Sequence[dict[str, Any]], backend: Sequence[Need], apple: Sequence[Need]
) -> None:
    report(f"{phase}, backend", [call for call in journal if call["service"] not in APPLE], backend)
    report(f"{phase}, Apple", [call for call in journal if call["service"] in APPLE], apple)
