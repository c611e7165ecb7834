"""What Fly's edge has counted of an app, asked of Fly's own metrics (observability.md, section 2).

They are kept in VictoriaMetrics, whose `increase_pure` counts a series that begins within the period from zero: on a small app
the first answer of a status is a new series, and Prometheus' `increase` would not see it.
"""

import math

from providers import waiting
from providers.errors import ProviderError
from providers.fly.api.client import Fly

SCRAPE_SECONDS = 16.0
"""Fly looks every 15 s: what came this soon after a moment may belong to the time before it."""
KEPT_SECONDS = 14 * 86_400.0
"""Fly keeps about 15 days."""


class NotCounted(ProviderError):
    """Fly's metrics cannot be read, or do not make sense; the text says why."""

    __module__ = "builtins"


def server_errors(fly: Fly, org: str, app: str, since: float) -> tuple[int, int]:
    """How many answers were a 5xx, from `since` (seconds since 1970) to now, and how many seconds that covers."""
    seconds = math.floor(min(waiting.clock.wall() - since - SCRAPE_SECONDS, KEPT_SECONDS))
    if seconds < 1:
        return 0, 0
    query = f'sum(increase_pure(fly_edge_http_responses_count{{app="{app}",status=~"5.."}}[{seconds}s]))'
    try:
        answer = fly.metrics(org, query, doing=f"count the server errors of {app!r}")
        series = answer["data"]["result"]
        return round(sum(float(each["value"][1]) for each in series)), seconds
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise NotCounted(f"Fly's metrics of {app!r} answer in another form than was known ({error!r})") from None
