"""Waiting: polls with backoff to a deadline, against a clock that a test can replace."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from providers.errors import TimedOut

T = TypeVar("T")


class Clock:
    """Real time. A test assigns another object with these three methods to `providers.waiting.clock`."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, for what the vendors date: tokens, certificates, upload addresses."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


clock = Clock()


def poll(
    look: Callable[[], T | None],
    *,
    seconds: float,
    waiting_for: str,
    last_seen: Callable[[], str] = lambda: "",
    first: float = 0.1,
    most: float = 5.0,
    least: Callable[[], float] = lambda: 0.0,
) -> T:
    """Call `look` until it returns something other than None, and return that.

    The pause starts at `first` seconds and grows by half to at most `most`; `least()` can stretch it further, to save a rate
    limit. Raises TimedOut after `seconds`, with `waiting_for` (what, of which object) and `last_seen()` in the text. What
    `look` raises passes through.
    """
    deadline = clock.now() + seconds
    pause = first
    while True:
        found = look()
        if found is not None:
            return found
        left = deadline - clock.now()
        if left <= 0:
            seen = last_seen()
            raise TimedOut(f"{waiting_for}: not within {seconds:g} s" + (f"; last seen: {seen}" if seen else ""))
        clock.sleep(min(max(pause, least()), left))
        pause = min(pause * 1.5, most)


def backoff(attempt: int, *, base: float = 0.25, most: float = 8.0) -> float:
    """Seconds to pause after failed attempt number `attempt` (from 0): exponential with full jitter, never zero."""
    return random.uniform(0.5, 1.0) * min(most, base * 2.0**attempt)  # noqa: S311 (jitter, not cryptography)
