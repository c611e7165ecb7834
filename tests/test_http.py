"""The HTTP policy: what is retried and what is not, deadlines, rate limits, and one connection pool per address."""

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from harness.inprocess import SharedClock
from providers import http, waiting
from providers.decoding import Unreadable
from providers.errors import ApiError, ProviderError, Uncertain, Unreachable
from providers.http import Http, RateLimit

SECRET = "fo1_top-secret"
Behaviour = httpx.Response | Exception
Vendor = Callable[..., tuple[Http, list[httpx.Request]]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SharedClock:
    clock = SharedClock()
    monkeypatch.setattr(waiting, "clock", clock)
    return clock


@pytest.fixture
def vendor(clock: SharedClock, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """Makes a vendor that behaves in the given ways, one per request, the last repeatedly; and lists the requests it got."""

    def behaving(*behaviours: Behaviour, tokens: Iterator[str] | None = None) -> tuple[Http, list[httpx.Request]]:
        seen: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            behaviour = behaviours[min(len(seen), len(behaviours)) - 1]
            if isinstance(behaviour, Exception):
                raise behaviour
            return httpx.Response(behaviour.status_code, headers=behaviour.headers, content=behaviour.content)

        monkeypatch.setattr(http, "make_transport", lambda base_url: httpx.MockTransport(handle))
        authorize = (lambda again: next(tokens) if tokens else SECRET) if tokens else (lambda again: f"Bearer {SECRET}")
        return Http("http://vendor.test", service="Vendor", authorize=authorize, explain=explain), seen

    return behaving


def explain(response: httpx.Response, doing: str) -> ProviderError:
    return ApiError(f"Vendor refused to {doing}: {response.text}", status=response.status_code, request_id="req-1")


def send(service: Http, method: str = "GET", **options: Any) -> httpx.Response:
    return service.request(method, "/things", doing="do a thing", **options)


NOT_SENT: list[Behaviour] = [
    httpx.Response(429),
    httpx.ConnectError("no route"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("full"),
]
LOST: list[Behaviour] = [
    *(httpx.Response(status) for status in (500, 502, 503, 504)),
    httpx.ReadError("broke"),
    httpx.ReadTimeout("hung"),
    httpx.WriteError("broke"),
    httpx.RemoteProtocolError("garbled"),
    httpx.DecodingError("garbled"),
]


@pytest.mark.parametrize("failure", NOT_SENT, ids=repr)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unsent_call_is_retried(vendor: Vendor, failure: Behaviour, method: str) -> None:
    service, seen = vendor(failure, httpx.Response(200))

    assert send(service, method).status_code == 200
    assert len(seen) == 2


@pytest.mark.parametrize("failure", LOST, ids=repr)
@pytest.mark.parametrize(("method", "options"), [("GET", {}), ("PUT", {"safe": True})])
def test_safe_call_is_retried(vendor: Vendor, failure: Behaviour, method: str, options: dict[str, Any]) -> None:
    service, seen = vendor(failure, httpx.Response(200))

    assert send(service, method, **options).status_code == 200
    assert len(seen) == 2


@pytest.mark.parametrize("failure", LOST, ids=repr)
@pytest.mark.parametrize(("method", "options"), [("POST", {}), ("DELETE", {}), ("GET", {"safe": False})])
def test_unsafe_call_is_uncertain(vendor: Vendor, failure: Behaviour, method: str, options: dict[str, Any]) -> None:
    service, seen = vendor(failure)

    with pytest.raises(
        Uncertain, match=r"may or may not have happened: do a thing; .*; look the object up before repeating"
    ):
        send(service, method, **options)

    assert len(seen) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 408, 409, 412, 422])
def test_refusal_is_not_retried(vendor: Vendor, status: int) -> None:
    service, seen = vendor(httpx.Response(status))

    with pytest.raises(ApiError, match="Vendor refused to do a thing") as refused:
        send(service, safe=True)

    assert refused.value.status == status
    assert len(seen) == 1


def test_accepted_status_is_returned(vendor: Vendor) -> None:
    service, _ = vendor(httpx.Response(404))

    assert send(service, "DELETE", accept=(404,)).status_code == 404


def test_refused_token_is_renewed_once(vendor: Vendor) -> None:
    service, seen = vendor(httpx.Response(401), httpx.Response(200), tokens=iter(["old", "renewed", "new"]))

    send(service)

    assert [request.headers["Authorization"] for request in seen] == ["old", "new"]


def test_call_fails_at_its_deadline(vendor: Vendor, clock: SharedClock) -> None:
    service, seen = vendor(httpx.Response(503))
    before = clock.now()

    with pytest.raises(
        Unreachable, match=r"cannot do a thing: Vendor returned HTTP 503 \(request id: req-1\), for 20 s"
    ):
        send(service, seconds=20.0)

    assert clock.now() - before <= 20.0
    assert 3 <= len(seen) <= 12


def test_silent_address_fails_early(vendor: Vendor, clock: SharedClock) -> None:
    service, seen = vendor(httpx.ConnectError("refused"))
    began = clock.now()

    with pytest.raises(
        Unreachable, match=r"no connection to Vendor at http://vendor.test .*check that the network is up"
    ):
        send(service)
    assert clock.now() - began <= http.CONTACT_SECONDS
    tried = len(seen)

    with pytest.raises(Unreachable, match="check that the network is up"):
        send(service)
    assert len(seen) == tried + 1


def test_known_address_has_full_deadline(vendor: Vendor, clock: SharedClock) -> None:
    service, _ = vendor(httpx.Response(200), httpx.ConnectError("refused"))
    send(service)
    began = clock.now()

    with pytest.raises(Unreachable):
        send(service)

    assert http.CONTACT_SECONDS < clock.now() - began <= http.CALL_SECONDS


def test_recovered_address_has_full_deadline(vendor: Vendor, clock: SharedClock) -> None:
    service, seen = vendor(*[httpx.ConnectError("refused")] * 7, httpx.Response(200), httpx.ConnectError("refused"))
    with pytest.raises(Unreachable):
        send(service, seconds=1)
    while len(seen) < 7:
        with pytest.raises(Unreachable):
            send(service)
    send(service)
    began = clock.now()

    with pytest.raises(Unreachable):
        send(service)

    assert clock.now() - began > http.CONTACT_SECONDS


def test_backoff_is_exponential(vendor: Vendor, clock: SharedClock) -> None:
    service, _ = vendor(*[httpx.Response(503)] * 5, httpx.Response(200))
    before = clock.now()

    send(service)

    assert 0.5 * (0.25 + 0.5 + 1 + 2 + 4) <= clock.now() - before <= 0.25 + 0.5 + 1 + 2 + 4


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_respected(vendor: Vendor, clock: SharedClock, status: int) -> None:
    service, _ = vendor(httpx.Response(status, headers={"Retry-After": "7"}), httpx.Response(200))
    before = clock.now()

    send(service)

    assert clock.now() - before == 7.0


def test_each_attempt_has_a_timeout(vendor: Vendor) -> None:
    service, seen = vendor(httpx.Response(200))

    send(service, attempt_seconds=12.0)

    assert seen[0].extensions["timeout"] == {"connect": 10.0, "read": 12.0, "write": 12.0, "pool": 12.0}


@dataclass
class Dripping(httpx.SyncByteStream):
    """A body of which a byte arrives each half second, so that no single read times out."""

    clock: SharedClock

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000):
            self.clock.sleep(0.5)
            yield b" "


def test_dripping_body_ends(clock: SharedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline of a call holds for its body too."""
    dripping = httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping(clock)))
    monkeypatch.setattr(http, "make_transport", lambda base_url: dripping)
    service = Http("http://vendor.test", service="Vendor", authorize=lambda again: "", explain=explain)
    began = clock.now()

    with pytest.raises(
        Unreachable, match=r"cannot do a thing: the response of Vendor was lost \(ReadTimeout\), for 6 s"
    ):
        send(service, seconds=6.0)

    assert clock.now() - began < 7


@pytest.mark.parametrize("safe", [True, False])
def test_web_page_is_no_response(vendor: Vendor, safe: bool) -> None:
    """A call whose response is not read, like a deletion, has not succeeded because a proxy shows its login."""
    service, _ = vendor(httpx.Response(200, text="<!DOCTYPE html>", headers={"x-request-id": "R-1"}))

    with pytest.raises(Unreadable if safe else Uncertain, match=r"Vendor \(request id R-1\) is a web page"):
        send(service, "DELETE", safe=safe)


@pytest.mark.parametrize("status", [302, 401, 403, 404])
def test_web_page_is_no_refusal(vendor: Vendor, status: int) -> None:
    """A proxy says nothing about the object: after its 404 a second one would be created."""
    service, _ = vendor(httpx.Response(status, text="<html>Blocked</html>"))

    with pytest.raises(Unreadable, match=rf"is a web page, perhaps of a proxy or of a login \(HTTP {status}\)"):
        send(service)


def test_rate_limit_after_burst(vendor: Vendor, clock: SharedClock) -> None:
    service, _ = vendor(httpx.Response(200))
    times: list[float] = []

    for _ in range(5):
        send(service, limit=RateLimit(per_second=1, burst=3), bucket="things")
        times.append(clock.now() - times[0] if times else clock.now())

    assert times[1:] == [0.0, 0.0, 1.0, 2.0]


def test_buckets_are_independent(vendor: Vendor, clock: SharedClock) -> None:
    service, _ = vendor(httpx.Response(200))
    before = clock.now()

    for number in range(6):
        send(service, limit=RateLimit(per_second=1, burst=1), bucket=f"thing {number}")

    assert clock.now() == before


def test_bucket_refills(vendor: Vendor, clock: SharedClock) -> None:
    service, _ = vendor(httpx.Response(200))
    limit = RateLimit(per_second=1, burst=3)
    for _ in range(3):
        send(service, limit=limit, bucket="things")
    clock.sleep(10)
    before = clock.now()

    for _ in range(3):
        send(service, limit=limit, bucket="things")

    assert clock.now() == before


def test_redirects_are_not_followed(vendor: Vendor) -> None:
    service, seen = vendor(httpx.Response(302, headers={"Location": "http://elsewhere.test/"}))

    with pytest.raises(ApiError):
        send(service)

    assert [request.url.host for request in seen] == ["vendor.test"]


def test_no_error_shows_a_credential(vendor: Vendor) -> None:
    """Not even if a proxy returns what we sent."""
    echo = f"authorization: Bearer {SECRET}"
    for behaviour in (*NOT_SENT, *LOST, httpx.Response(400, text=echo), httpx.Response(401, text=echo)):
        service, _ = vendor(behaviour)
        with pytest.raises(ProviderError) as failed:
            send(service, "POST", json={"value": SECRET}, seconds=1.0)
        assert SECRET not in repr(failed.value)


def test_certificate_authorities_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = iter([ssl.create_default_context()])
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: next(read))
    http._roots.cache_clear()

    for address in ("https://api.machines.dev", "https://api.appstoreconnect.apple.com"):
        http.make_transport(address).close()

    assert next(read, None) is None


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("https://api.fly.io", "http://proxy.corp:3128"),
        ("https://api.appstoreconnect.apple.com", None),
        ("http://127.0.0.1:7701", None),
        ("http://localhost:7701", None),
    ],
)
def test_proxy_of_environment(monkeypatch: pytest.MonkeyPatch, address: str, proxy: str | None) -> None:
    """The doubles are never behind it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, "http://proxy.corp:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", ".apple.com")

    assert http.proxy_for(address) == proxy


def test_one_pool_per_address() -> None:
    connections = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            connections.add(self.client_address)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        for _ in range(5):  # Each resource makes a client of its own for each step.
            send(Http(address, service="Vendor", authorize=lambda again: "", explain=explain))
    finally:
        http._connection(address, http.make_transport).transport.close()
        server.shutdown()
        server.server_close()

    assert len(connections) == 1
