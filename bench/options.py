"""How much to measure: the defaults take minutes, tests use the minimum."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    rounds: int = 5
    """How often to measure each pair."""
    mib: tuple[int, ...] = (64, 1024)
    """Sizes of the IPAs to upload."""
    testers: tuple[int, ...] = (1, 10, 100)
    stacks: tuple[int, ...] = (1, 5, 20)
    """How many stacks to deploy at once."""
    latencies: tuple[float, ...] = (0.0, 0.1)
    """Seconds for each response of a vendor."""
