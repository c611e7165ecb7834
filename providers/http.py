"""The one HTTP client policy. Every call to a vendor goes through `Http.request`, which decides:

- *Deadlines*: each attempt has a timeout, each call a deadline. An address that has never answered is given up sooner, and one
  that was given up fails each further call at its first attempt, until it answers.
- *Pacing*: a call names its rate-limit bucket; it waits only when the documented burst is used up.
- *Repeating*: an attempt ends in one of three ways, and whether the call may be repeated is a property of the call.
    - Nothing was done (no connection was made, or 429): any call is repeated.
    - The answer is lost (the connection broke, or 500, 502, 503, 504): a call marked `safe` (a read, or a write that has the
      same effect twice) is repeated; for any other call `Uncertain` is raised: look the object up before repeating.
    - It was refused (any other status that is no success): the vendor's `explain` makes the error that people read.

There is one connection pool, and one account of the rate limits, per process and base address. Nothing is logged, and no
header reaches an error text.
"""

import contextlib
import functools
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from providers import waiting
from providers.errors import ProviderError, Uncertain, Unreachable

if TYPE_CHECKING:  # httpx costs a quarter of a preview's imports; only calls need it.
    import ssl

    import httpx

ANSWER_IS_LOST = frozenset({500, 502, 503, 504})
ATTEMPT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CALL_SECONDS = 90.0
CONTACT_SECONDS = 15.0
"""How long an address is tried that has never answered this process: the network is down, or the address is wrong."""


def make_transport(base_url: str) -> "httpx.BaseTransport":
    """The seam for tests: assign another function to `providers.http.make_transport`, and new `Http` objects use it."""
    import httpx

    return httpx.HTTPTransport(verify=_roots(), limits=httpx.Limits(max_connections=16))


@functools.cache
def _roots() -> "ssl.SSLContext":
    """The authorities that vendors' certificates are checked against: read once, which takes longer than many a call."""
    import httpx

    return httpx.create_ssl_context()


@dataclass(frozen=True)
class Pace:
    """A documented limit: `burst` calls at once, then `per_second`."""

    per_second: float
    burst: int


class Http:
    """One vendor's API at one base address. Thread-safe and cheap to make: what is costly is shared by the process."""

    def __init__(
        self,
        base_url: str,
        *,
        service: str,
        authorize: Callable[[bool], str],
        explain: "Callable[[httpx.Response, str], ProviderError]",
    ) -> None:
        """`service` is the vendor's name in texts. `authorize(again)` gives the Authorization header (empty for none);
        `again` asks for a fresh one after a 401. `explain(response, doing)` makes the error of an answer that is no success."""
        self.base_url = base_url
        self.service = service
        self._authorize = authorize
        self._explain = explain
        self._line = _line(base_url, make_transport)

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
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> "httpx.Response":
        """Send one call and return its successful answer, or one whose status is in `accept`.

        `doing` names action and object for error texts ("create the volume 'data' of app 'x'"). `safe` defaults to True
        for GET and False otherwise. Raises what `explain` makes, Unreachable, or Uncertain.
        """
        import httpx

        safe = method == "GET" if safe is None else safe
        began = waiting.clock.now()
        renewed = False
        for attempt in itertools.count():
            if pace:
                self._line.wait_for_turn(bucket or doing, pace)
            authorization = self._authorize(False)
            answer = self._attempt(
                httpx.Request(
                    method,
                    self.base_url + path,
                    json=json,
                    params=params,
                    headers={**({"Authorization": authorization} if authorization else {}), **(headers or {})},
                    extensions={"timeout": httpx.Timeout(attempt_seconds, connect=CONNECT_SECONDS).as_dict()},
                ),
                accept,
                doing,
            )
            if isinstance(answer, httpx.Response):
                if answer.is_success or answer.status_code in accept:
                    return answer
                if answer.status_code != 401 or renewed:
                    raise self._explain(answer, doing)
                renewed = True
                self._authorize(True)
                continue
            if not (answer.nothing_done or safe):
                raise Uncertain(
                    f"cannot tell whether {self.service} did this: {doing}; {answer.text}; look before repeating"
                )
            pause = waiting.backoff(attempt) if answer.pause is None else answer.pause
            if waiting.clock.now() + pause > began + self._line.patience(seconds):
                self._line.is_dead = answer.no_connection
                tried, remedy = f", for {seconds:g} s", "run the same command again later"
                if answer.no_connection:
                    tried = f", for {waiting.clock.now() - began:.0f} s" if attempt else ""
                    remedy = "see whether the network is up and the address right, then run the same command again"
                raise Unreachable(f"cannot {doing}: {answer.text}{tried}; {remedy}")
            waiting.clock.sleep(pause)
        raise AssertionError("unreachable: itertools.count has no end")

    def _attempt(self, request: "httpx.Request", accept: tuple[int, ...], doing: str) -> "httpx.Response | _Trouble":
        import httpx

        try:
            with contextlib.closing(self._line.transport.handle_request(request)) as response:
                response.request = request
                response.read()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            text = f"no connection to {self.service} at {self.base_url} ({error})"
            return _Trouble(text, nothing_done=True, no_connection=not isinstance(error, httpx.PoolTimeout))
        except httpx.RequestError as error:
            self._line.is_there()
            return _Trouble(f"{self.service}'s answer was lost ({type(error).__name__})", nothing_done=False)
        self._line.is_there()
        if response.status_code in accept:
            return response
        if response.status_code == 429:
            return _Trouble(f"{self.service}'s rate limit is reached (HTTP 429)", True, _retry_after(response))
        if response.status_code in ANSWER_IS_LOST:
            explained = self._explain(response, doing)
            trace = getattr(explained, "request_id", "") or "none given"
            text = f"{self.service} answered HTTP {response.status_code} (request id: {trace})"
            return _Trouble(text, False, _retry_after(response))
        return response


@dataclass(frozen=True)
class _Trouble:
    """An attempt without a usable answer: what people read, whether the server surely did nothing, and the pause it asks for."""

    text: str
    nothing_done: bool
    pause: float | None = None
    no_connection: bool = False


class _Line:
    """What a process keeps per base address: the connection pool, whether somebody answers there, and how much of each rate
    limit is used up."""

    def __init__(self, transport: "httpx.BaseTransport") -> None:
        self.transport = transport
        self.is_dead = False
        """A call has tried in vain as long as it may; the others need not find that out one by one."""
        self._was_there = False
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def __del__(self) -> None:
        """The cache drops a line that has not been used for long: its connections go with it."""
        self.transport.close()

    def patience(self, seconds: float) -> float:
        """How long a call that may take `seconds` is repeated."""
        if self.is_dead:
            return 0.0
        return seconds if self._was_there else min(seconds, CONTACT_SECONDS)

    def is_there(self) -> None:
        """A connection was made."""
        self._was_there, self.is_dead = True, False

    def wait_for_turn(self, bucket: str, pace: Pace) -> None:
        with self._lock:
            now = waiting.clock.now()
            turns, seen_at = self._buckets.get(bucket, (float(pace.burst), now))
            turns = min(float(pace.burst), turns + (now - seen_at) * pace.per_second) - 1
            self._buckets[bucket] = (turns, now)
        if turns < 0:
            waiting.clock.sleep(-turns / pace.per_second)


@functools.lru_cache(maxsize=16)
def _line(base_url: str, transport_maker: "Callable[[str], httpx.BaseTransport]") -> _Line:
    return _Line(transport_maker(base_url))


def _retry_after(response: "httpx.Response") -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdigit() else None
