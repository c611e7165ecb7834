"""Answers that Fly's edge has counted, from Fly's managed Prometheus (https://fly.io/docs/reference/metrics/).

It is VictoriaMetrics, whose `increase_pure` counts a series that begins within the period from zero. On a small app the first
response with a status is a new series, which Prometheus' `increase` would miss.
"""

import math

import msgspec

from providers import waiting
from providers.decoding import Number
from providers.fly.api.client import Fly

SCRAPE_SECONDS = 16.0
"""Fly scrapes every 15 s: what is counted this soon after a moment may have happened before it."""
KEPT_SECONDS = 14 * 86_400.0
"""Fly keeps about 15 days."""


class Series(msgspec.Struct):
    """One series of an instant query: its labels, and time and value."""

    value: tuple[float, Number]
    metric: dict[str, str] = {}

    @property
    def number(self) -> float:
        return self.value[1].value


class _Result(msgspec.Struct):
    result: list[Series]


class _QueryResponse(msgspec.Struct):
    data: _Result


def server_errors(fly: Fly, org: str, app: str, since: float) -> tuple[int, int]:
    """How many responses were a 5xx from `since` (seconds since 1970) until now, and how many seconds that covers."""
    seconds = math.floor(min(waiting.clock.wall() - since - SCRAPE_SECONDS, KEPT_SECONDS))
    if seconds < 1:
        return 0, 0
    query = f'sum(increase_pure(fly_edge_http_responses_count{{app="{app}",status=~"5.."}}[{seconds}s]))'
    response = fly.telemetry(
        f"/prometheus/{org}/api/v1/query",
        doing=f"count the server errors of app {app}",
        shape=_QueryResponse,
        params={"query": query},
    )
    return round(sum(series.number for series in response.data.result)), seconds
