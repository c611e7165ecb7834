"""Compares the durations of two functions, measured alternately."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """Seconds of each round. A round measures both, so that noise affects both."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """Median ratio: 2.0 if ours takes twice as long."""
        return statistics.median(self._ratios)

    @property
    def _ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    def __str__(self) -> str:
        spread = f"{min(self._ratios):.2f} to {max(self._ratios):.2f} in {len(self.ours)} rounds"
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return f"{self.ratio:.2f} times ({spread}; {ours:.2f} s against {theirs:.2f} s)"


def paired(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> Paired:
    """Measure both `rounds` times, alternating the order, after one run of each as a warm-up."""
    ours(), theirs()
    seconds: dict[Callable[[], object], list[float]] = {ours: [], theirs: []}
    for number in range(rounds):
        for way in (ours, theirs) if number % 2 else (theirs, ours):
            seconds[way].append(timed(way))
    return Paired(seconds[ours], seconds[theirs])


def timed(way: Callable[[], object]) -> float:
    """The duration in seconds."""
    began = time.monotonic()
    way()
    return time.monotonic() - began
