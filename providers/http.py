"""The one HTTP client policy. Every call to a vendor goes through `Http.request`, which decides:

- *Deadlines*: each attempt has a timeout, each call a deadline.
- *Pacing*: a call names its rate-limit bucket; it waits only when the documented burst is used up.
- *Repeating*: whether a call may be repeated is a property of the call.
    - Any call is repeated when the server said that it did nothing: 429, or no connection was made.
    - A call marked `safe` (reads, and deletes of what has a unique id) is repeated after 500, 502, 503, 504 and lost answers.
    - For any other call a lost answer or a 5xx raises `Uncertain`: look the object up before repeating.
- *Errors*: everything else that is no success goes to the vendor's `explain`, which makes the error that people read.

There is one connection pool per process and base address. Nothing is logged, and no header reaches an error text.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from providers import waiting
from providers.errors import ProviderError, Uncertain, Unreachable

SAFE_TO_REPEAT = frozenset({500, 502, 503, 504})
ATTEMPT_SECONDS = httpx.Timeout(30.0, connect=10.0)
CALL_SECONDS = 90.0


def make_transport(base_url: str) -> httpx.BaseTransport:
    """The seam for tests: assign another function to `providers.http.make_transport` before the first client is made."""
    return httpx.HTTPTransport(limits=httpx.Limits(max_connections=16))


@dataclass(frozen=True)
class Pace:
    """A documented limit: `burst` calls at once, then `per_second`."""

    per_second: float
    burst: int


class Http:
    """One vendor's API at one base address. Thread-safe."""

    def __init__(
        self,
        base_url: str,
        *,
        service: str,
        authorize: Callable[[bool], str],
        explain: Callable[[httpx.Response, str], ProviderError],
    ) -> None:
        """`service` is the vendor's name in texts. `authorize(again)` gives the Authorization header; `again` asks for a
        fresh one after a 401. `explain(response, doing)` makes the error of an answer that is no success."""
        self.base_url = base_url
        self.service = service
        self._authorize = authorize
        self._explain = explain
        self._client = httpx.Client(
            base_url=base_url, transport=make_transport(base_url), timeout=ATTEMPT_SECONDS, follow_redirects=False
        )
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
        accept: tuple[int, ...] = (),
        pace: Pace | None = None,
        bucket: str = "",
        seconds: float = CALL_SECONDS,
        attempt_seconds: float | None = None,
    ) -> httpx.Response:
        """Send one call and return its successful answer, or one whose status is in `accept`.

        `doing` names action and object for error texts ("create the volume 'data' of app 'x'"). `safe` defaults to True
        for GET and False otherwise. Raises what `explain` makes, Unreachable, or Uncertain.
        """
        safe = method == "GET" if safe is None else safe
        deadline = waiting.clock.now() + seconds
        attempt, renewed = 0, False
        while True:
            if pace:
                self._wait_for_turn(f"{bucket or doing}", pace)
            try:
                response = self._client.request(
                    method,
                    path,
                    json=json,
                    params=params,
                    headers={"Authorization": self._authorize(False), **(headers or {})},
                    timeout=ATTEMPT_SECONDS if attempt_seconds is None else attempt_seconds,
                )
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                trouble, repeatable = f"no connection to {self.base_url} ({error})", True
            except httpx.TransportError as error:
                trouble, repeatable = f"the answer was lost ({type(error).__name__})", safe
            else:
                if response.is_success or response.status_code in accept:
                    return response
                if response.status_code == 401 and not renewed:
                    renewed = True
                    self._authorize(True)
                    continue
                if response.status_code == 429:
                    trouble, repeatable = "the rate limit is reached (HTTP 429)", True
                elif response.status_code in SAFE_TO_REPEAT:
                    trouble, repeatable = f"{self.service} answered HTTP {response.status_code}", safe
                    if not safe:
                        raise Uncertain(f"cannot tell whether {self.service} did this: {doing}; {trouble}; look first")
                else:
                    raise self._explain(response, doing)
                pause = _retry_after(response)
                if pause is not None and repeatable:
                    waiting.clock.sleep(min(pause, max(0.0, deadline - waiting.clock.now())))
            if not repeatable:
                raise Uncertain(f"cannot tell whether {self.service} did this: {doing}; {trouble}; look first")
            pause_seconds = waiting.backoff(attempt)
            if waiting.clock.now() + pause_seconds > deadline:
                raise Unreachable(f"{self.service} could not {doing}: {trouble}, for {seconds:g} s; run up again later")
            waiting.clock.sleep(pause_seconds)
            attempt += 1

    def _wait_for_turn(self, bucket: str, pace: Pace) -> None:
        with self._lock:
            now = waiting.clock.now()
            tokens, seen_at = self._buckets.get(bucket, (float(pace.burst), now))
            tokens = min(float(pace.burst), tokens + (now - seen_at) * pace.per_second) - 1
            self._buckets[bucket] = (tokens, now)
        if tokens < 0:
            waiting.clock.sleep(-tokens / pace.per_second)


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdigit() else None
