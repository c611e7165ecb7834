"""Compares what functions take, measured alternately."""

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


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


class Spent(NamedTuple):
    """What one call took, in seconds."""

    time: float
    cpu: float
    """CPU time of the processes that the call has started and waited for. Other processes on the machine affect it least."""


def alternated(ways: Sequence[Callable[[], object]], rounds: int) -> list[list[Spent]]:
    """Measure each way `rounds` times, alternating the order, after one run of each as a warm-up. The results are in the order of
    `ways`."""
    for way in ways:
        way()
    measured: list[list[Spent]] = [[] for _ in ways]
    for number in range(rounds):
        pairs = list(zip(ways, measured, strict=True))
        for way, taken in pairs if number % 2 else reversed(pairs):
            taken.append(spent(way))
    return measured


def spent(way: Callable[[], object]) -> Spent:
    """What one call of `way` takes."""
    began, cpu = time.monotonic(), _cpu_of_children()
    way()
    return Spent(time.monotonic() - began, _cpu_of_children() - cpu)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
