"""How many API calls a first up, an update and a no-op of the whole launch take, against the smallest set."""

from collections.abc import Sequence
from typing import Any

from bench.counted import tell
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
        _tell_sides("first up", new_calls(), BACKEND_FIRST, APPLE_FIRST)
        launch.install()
        new_calls()
        launch.run("up")
        _tell_sides("no-op", new_calls(), (), ())
        launch.release_next(NEXT_RELEASE, build="0.1")
        launch.run("up", "--skip-preview")
        _tell_sides("update", new_calls(), BACKEND_UPDATE, APPLE_UPDATE)


def _tell_sides(phase: str, journal: Sequence[dict[str, Any]], backend: Sequence[Need], apple: Sequence[Need]) -> None:
    tell(f"{phase}, backend", [each for each in journal if each["service"] not in APPLE], backend)
    tell(f"{phase}, Apple", [each for each in journal if each["service"] in APPLE], apple)
