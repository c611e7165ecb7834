"""How much is measured: the defaults take minutes, a test takes the least."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    rounds: int = 5
    """How often each pair is measured."""
    mib: tuple[int, ...] = (64, 1024)
    """Sizes of the IPAs that are uploaded."""
    testers: tuple[int, ...] = (1, 10, 100)
    latencies: tuple[float, ...] = (0.0, 0.1)
    """Seconds that the vendors take to answer a call."""
