"""The HTTP client and its retry policy. Every call to a vendor goes through `Http.request`, which decides:

- *Deadlines*: each attempt has a timeout, body included, and each call a deadline. An address that has never responded gets a
  shorter deadline. Once that is used up, every further call fails at its first attempt, until the address responds.
- *Rate limits*: a call names its bucket; it waits only when the documented burst is used up.
- *Retries*: an attempt fails in one of three ways, and whether the call is retried is a property of the call.
    - Not sent (no connection was made, or 429): every call is retried.
    - Response lost (the connection broke, or 500, 502, 503, 504): a call marked `safe` (a read, or an idempotent write) is
      retried; any other call raises `Uncertain`, and its caller looks the object up before it repeats the call.
    - Refused (any other status that is not a success): the vendor's `explain` returns the error that people read.
- *Web pages*: what a proxy or a login page sends in place of the vendor's response is never taken for one.

A process has one connection pool and one set of rate-limit buckets per base address. Nothing is logged, and no header appears in
an error text.
"""

import contextlib
import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from providers import waiting
from providers.decoding import WEB_PAGE, Call, decode, is_web_page
from providers.errors import ErrorText, ProviderError, Uncertain, Unreachable

if TYPE_CHECKING:  # httpx costs a quarter of a preview's imports; only calls need it.
    import ssl

    import httpx

T = TypeVar("T")

RESPONSE_LOST = frozenset({500, 502, 503, 504})
ATTEMPT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CALL_SECONDS = 90.0
MIN_ATTEMPT_SECONDS = 1.0
SLOW_BODY = "the body was not complete in time"
CONTACT_SECONDS = 15.0
"""The deadline of a call to an address that has never responded to this process: the network may be down, or the address wrong."""

UNCERTAIN = ErrorText(
    "no usable response from {service}, so it may or may not have happened: {doing}; {reason}",
    remedy="look the object up before repeating",
    error=Uncertain,
)
NO_CONNECTION = ErrorText(
    "cannot {doing}: {reason}{tried}",
    remedy="check that the network is up and the address is right, then run the same command again",
    error=Unreachable,
)
NO_RESPONSE = ErrorText("cannot {doing}: {reason}{tried}", remedy="run the same command again later", error=Unreachable)


def make_transport(base_url: str) -> "httpx.BaseTransport":
    """The seam for tests: assign another function to `providers.http.make_transport`, and new `Http` objects use it."""
    import httpx

    return httpx.HTTPTransport(verify=_roots(), limits=httpx.Limits(max_connections=16), proxy=proxy_for(base_url))


def proxy_for(base_url: str) -> str | None:
    """The HTTP proxy that the environment (HTTPS_PROXY, NO_PROXY) or the system's settings name for this address."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass  # noqa: TID251 (they read settings)

    address = urlsplit(base_url)
    host = address.hostname or ""
    proxy = getproxies().get(address.scheme, "")
    is_direct = host == "localhost" or host.startswith("127.") or proxy_bypass(host)
    return None if is_direct or not proxy.startswith(("http://", "https://")) else proxy


@functools.cache
def _roots() -> "ssl.SSLContext":
    """The certificate authorities that httpx trusts. Read once per process: reading them takes longer than a call."""
    import httpx

    return httpx.create_ssl_context()


class RateLimit(msgspec.Struct, frozen=True):
    """A documented rate limit: `burst` calls at once, then `per_second`."""

    per_second: float
    burst: int


class Http:
    """One vendor's API at one base URL. Thread-safe, and cheap to create: the connections are shared by the process."""

    def __init__(
        self,
        base_url: str,
        *,
        service: str,
        authorize: Callable[[bool], str],
        explain: "Callable[[httpx.Response, str], ProviderError]",
        fresh_tokens: int = 1,
        request_id: str = "x-request-id",
    ) -> None:
        """`service` is the vendor's name in texts. `authorize(again)` returns the Authorization header (empty for none); `again` is
        True after a 401 and requests a new token, up to `fresh_tokens` times per call. `explain(response, doing)` returns the error
        for a refusal. `request_id` is the header by which the vendor's support finds a call."""
        self.base_url = base_url
        self.service = service
        self._authorize = authorize
        self._explain = explain
        self._fresh_tokens = fresh_tokens
        self._request_id = request_id
        self._connection = _connection(base_url, make_transport)

    def request(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
        accept: tuple[int, ...] = (),
        limit: RateLimit | None = None,
        bucket: str = "",
        seconds: float = CALL_SECONDS,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> "httpx.Response":
        """Send a request, with retries; returns the successful response, or one whose status is in `accept`.

        `doing` is action and object for error texts ("create the volume 'data' of app 'x'"). `safe` says that the call can be
        repeated if its response is lost; it defaults to True for GET and False otherwise. `seconds` is the deadline of the call,
        `attempt_seconds` the timeout of each attempt. Raises the error from `explain`, Unreachable, or Uncertain.
        """
        import httpx

        safe = method == "GET" if safe is None else safe
        began = waiting.clock.now()
        renewals = 0
        for attempt in itertools.count():
            if limit:
                self._connection.acquire(bucket or doing, limit)
            authorization = self._authorize(False)
            left = max(MIN_ATTEMPT_SECONDS, began + seconds - waiting.clock.now())
            timeout = httpx.Timeout(min(attempt_seconds, left), connect=CONNECT_SECONDS)
            outcome = self._attempt(
                httpx.Request(
                    method,
                    _parsed(self.base_url + path, tuple((params or {}).items())),
                    json=json,
                    headers={**({"Authorization": authorization} if authorization else {}), **(headers or {})},
                    extensions={"timeout": timeout.as_dict()},
                ),
                accept,
                doing,
            )
            if isinstance(outcome, httpx.Response):
                if outcome.is_success or outcome.status_code in accept:
                    return self._from_vendor(outcome, doing, wrote=not safe)
                if outcome.status_code != 401 or renewals == self._fresh_tokens:
                    refusal = self._from_vendor(outcome, doing, wrote=not safe)
                    raise self._explain(_without_token(refusal, authorization), doing)
                if renewals:
                    waiting.clock.sleep(waiting.backoff(renewals))
                renewals += 1
                self._authorize(True)
                continue
            if not (outcome.not_sent or safe):
                raise UNCERTAIN(service=self.service, doing=doing, reason=outcome.reason)
            pause = waiting.backoff(attempt) if outcome.retry_after is None else outcome.retry_after
            if waiting.clock.now() + pause > began + self._connection.retry_budget(seconds):
                self._connection.is_down = outcome.no_connection
                if not outcome.no_connection:
                    raise NO_RESPONSE(doing=doing, reason=outcome.reason, tried=f", for {seconds:g} s")
                tried = f", for {waiting.clock.now() - began:.0f} s" if attempt else ""
                raise NO_CONNECTION(doing=doing, reason=outcome.reason, tried=tried)
            waiting.clock.sleep(pause)
        raise AssertionError  # Not reached: itertools.count has no end.

    def _from_vendor(self, response: "httpx.Response", doing: str, *, wrote: bool) -> "httpx.Response":
        if is_web_page(response.content):
            fault = WEB_PAGE if response.is_success else f"{WEB_PAGE} (HTTP {response.status_code})"
            raise self.call_of(response, doing, wrote=wrote).unreadable(fault)
        return response

    def decode(
        self,
        response: "httpx.Response",
        shape: type[T],
        doing: str,
        *,
        wrote: bool = False,
        null_is_empty: bool = False,
    ) -> T:
        """The response as a `shape`; see `providers.decoding.decode`."""
        return decode(response.content, shape, self.call_of(response, doing, wrote=wrote), null_is_empty=null_is_empty)

    def call_of(self, response: "httpx.Response", doing: str, *, wrote: bool = False) -> Call:
        """The call with that response, for errors."""
        request_id = response.headers.get(self._request_id, "")
        return Call(doing=doing, source=self.service, request_id=request_id, wrote=wrote)

    def _attempt(
        self, request: "httpx.Request", accept: tuple[int, ...], doing: str
    ) -> "httpx.Response | FailedAttempt":
        import httpx

        if self._connection.cookies:
            self._connection.cookies.set_cookie_header(request)
        try:
            with contextlib.closing(self._connection.transport.handle_request(request)) as response:
                response.request = request
                read_within(response, request.extensions["timeout"]["read"])
                if "Set-Cookie" in response.headers:
                    self._connection.cookies.extract_cookies(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            reason = f"no connection to {self.service} at {self.base_url} ({error})"
            return FailedAttempt(reason=reason, not_sent=True, no_connection=not isinstance(error, httpx.PoolTimeout))
        except httpx.RequestError as error:
            self._connection.mark_reached()
            return FailedAttempt(
                reason=f"the response of {self.service} was lost ({type(error).__name__})", not_sent=False
            )
        self._connection.mark_reached()
        if response.status_code in accept:
            return response
        if response.status_code == 429:
            return FailedAttempt(
                reason=f"the rate limit of {self.service} is reached (HTTP 429)",
                not_sent=True,
                retry_after=_retry_after(response),
            )
        if response.status_code in RESPONSE_LOST:
            explained = self._explain(response, doing)
            trace = getattr(explained, "request_id", "") or "none given"
            reason = f"{self.service} returned HTTP {response.status_code} (request id: {trace})"
            return FailedAttempt(reason=reason, not_sent=False, retry_after=_retry_after(response))
        return response


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt without a usable response."""

    reason: str
    not_sent: bool
    """The server has certainly not executed the call."""
    retry_after: float | None = None
    """Seconds, if the server sent the header."""
    no_connection: bool = False


class _Connection:
    """Shared by a process per base URL: the connection pool, whether the address responds, and the rate-limit buckets."""

    def __init__(self, transport: "httpx.BaseTransport") -> None:
        import httpx

        self.transport = transport
        self.cookies = httpx.Cookies()
        """A vendor can bind a client to one of its servers by a cookie, so that reads see the writes before them."""
        self.is_down = False
        """The last failed call got no connection until its deadline: further calls fail at their first attempt."""
        self._was_reached = False
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}
        # The cache drops a connection that has not been used for long; its sockets must not stay open.
        weakref.finalize(self, transport.close)

    def retry_budget(self, seconds: float) -> float:
        """Seconds during which a call with the deadline `seconds` is retried."""
        if self.is_down:
            return 0.0
        return seconds if self._was_reached else min(seconds, CONTACT_SECONDS)

    def mark_reached(self) -> None:
        """Record that a connection was made."""
        self._was_reached, self.is_down = True, False

    def acquire(self, bucket: str, limit: RateLimit) -> None:
        """Take one call from the bucket; sleeps until there is one."""
        with self._lock:
            now = waiting.clock.now()
            calls, seen_at = self._buckets.get(bucket, (float(limit.burst), now))
            calls = min(float(limit.burst), calls + (now - seen_at) * limit.per_second) - 1
            self._buckets[bucket] = (calls, now)
        if calls < 0:
            waiting.clock.sleep(-calls / limit.per_second)


@functools.lru_cache(maxsize=16)
def _connection(base_url: str, transport_maker: "Callable[[str], httpx.BaseTransport]") -> _Connection:
    return _Connection(transport_maker(base_url))


@functools.lru_cache(maxsize=256)
def _parsed(url: str, params: tuple[tuple[str, Any], ...]) -> "httpx.URL":
    """Cached: to parse it takes longer than the rest of a request, and most calls of a wait are the same."""
    import httpx

    return httpx.URL(url, params=dict(params)) if params else httpx.URL(url)


def read_within(response: "httpx.Response", seconds: float) -> bytes:
    """Read the body. Raises httpx.ReadTimeout if that takes longer: the timeout of httpx starts anew with each byte."""
    import httpx

    deadline = waiting.clock.now() + seconds
    pieces = []
    with contextlib.closing(response.stream) as stream:  # type: ignore[type-var]
        for piece in stream:  # type: ignore[union-attr]
            pieces.append(piece)
            if waiting.clock.now() > deadline:
                raise httpx.ReadTimeout(SLOW_BODY)
    response.stream = httpx.ByteStream(b"".join(pieces))
    return response.read()


def _without_token(response: "httpx.Response", authorization: str) -> "httpx.Response":
    """The response; with another text in place of the token, if a proxy or a server has returned what we sent."""
    import httpx

    token = authorization.rpartition(" ")[2].encode()
    if not token or token not in response.content:
        return response
    headers = {
        name: value for name, value in response.headers.items() if name not in ("content-length", "content-encoding")
    }
    return httpx.Response(
        response.status_code, headers=headers, content=response.content.replace(token, b"(the token)")
    )


def _retry_after(response: "httpx.Response") -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.replace(".", "", 1).isdecimal() else None
