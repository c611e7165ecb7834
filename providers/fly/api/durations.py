"""Durations as Fly writes them, which is how Go prints them: 15s, 500ms, 1m30s."""

import re

PART = r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)"
UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def is_duration(duration: str | float) -> bool:
    try:
        seconds_of(duration)
    except ValueError:
        return False
    return True


def seconds_of(duration: str | float) -> float:
    """A Go duration ("1m30s") in seconds; a bare number is nanoseconds, as in Fly's JSON. Raises ValueError."""
    if isinstance(duration, int | float):
        return round(duration * 1e-9, 9)
    parts = re.findall(PART, duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is not a duration: write it like 15s, 500ms or 1m30s")
    return round(sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts), 9)
