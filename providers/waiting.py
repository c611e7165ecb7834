"""Polling with backoff until a deadline, on a clock that tests replace."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from providers import engine
from providers.errors import ErrorText, TimedOut

T = TypeVar("T")

TIMED_OUT = ErrorText(
    "timed out after {seconds:g} s waiting for {waiting_for}{seen}", remedy="{remedy}", error=TimedOut
)


class Clock:
    """Real time. Tests assign another object with these three methods to `providers.waiting.clock`."""

    def now(self) -> float:
        """Seconds on a monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, for the vendors' dates: tokens, certificates, upload URLs."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


clock = Clock()


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.fromtimestamp(clock.wall(), UTC)


def poll(
    look: Callable[[], T | None],
    *,
    seconds: float,
    waiting_for: str,
    last_seen: Callable[[], str] = lambda: "",
    action: str = "waiting",
    remedy: str = "",
    first_pause: float = 0.1,
    max_pause: float = 5.0,
    min_pause: Callable[[], float] = lambda: 0.0,
) -> T:
    """Call `look` until it returns something other than None, and return that.

    Pauses are in seconds: from `first_pause`, growing by half up to `max_pause`; `min_pause()` lengthens them to save a
    rate limit. After each look that found nothing, a status line shows the `action`, of at most 20 characters, what was seen,
    and the time that is left. Raises TimedOut after `seconds`; its text has `waiting_for` (an event: "volume X to be
    detached"), `last_seen()` and `remedy`. Errors of `look` are not caught.
    """
    deadline = clock.now() + seconds
    pause, show = first_pause, engine.progress(action)
    while True:
        found = look()
        if found is not None:
            return found
        left = deadline - clock.now()
        show(last_seen() or waiting_for, max(0.0, left))
        if left <= 0:
            seen = last_seen()
            seen = f"; last seen: {seen}" if seen else ""
            raise TIMED_OUT(waiting_for=waiting_for, seconds=seconds, seen=seen, remedy=remedy)
        clock.sleep(min(max(pause, min_pause()), left))
        pause = min(pause * 1.5, max_pause)


def backoff(attempt: int, *, base: float = 0.25, max_pause: float = 8.0) -> float:
    """Seconds to pause after failed attempt number `attempt` (from 0): exponential, with a random factor of 0.5 to 1."""
    return random.uniform(0.5, 1.0) * min(max_pause, base * 2.0**attempt)  # noqa: S311 (jitter, not cryptography)
