"""The client of Fly's two APIs: tokens of any kind, rate limits, one text with its remedy per cause."""

from typing import Any

import httpx
import pytest
from pulumi.dynamic import Config

from harness.driver import Driven
from harness.inprocess import PROJECT, route_to
from providers.decoding import Unreadable
from providers.errors import ProviderError
from providers.fly.api import apps
from providers.fly.api.client import (
    Fly,
    FlyError,
    Forbidden,
    LeaseHeld,
    NotFound,
    authorization,
    explain,
    retry_until_pullable,
    retry_until_visible,
)
from providers.fly.app import AppProvider
from providers.fly.image import ImageProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.backend import Backend
from tests.fly.conftest import Configured, push


@pytest.fixture
def fly(world: World, settings: dict[str, Any]) -> Fly:
    return client(settings)


def client(settings: dict[str, Any]) -> Fly:
    return Fly(Config({f"{PROJECT}:{key}": value for key, value in settings.items()}, PROJECT))


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("fo1_abc", "Bearer fo1_abc"),
        ("an-old-personal-token", "Bearer an-old-personal-token"),
        ("fm1r_abc", "FlyV1 fm1r_abc"),
        ("fm1a_abc", "FlyV1 fm1a_abc"),
        ("fm2_abc,fm2_def", "FlyV1 fm2_abc,fm2_def"),
        ("FlyV1 fm2_abc", "FlyV1 fm2_abc"),
        ("Bearer fo1_abc", "Bearer fo1_abc"),
        ("Bearer fm2_abc", "FlyV1 fm2_abc"),
        ("fo1_abc, fm2_abc", "FlyV1 fo1_abc, fm2_abc"),
        ("  fo1_abc\n", "Bearer fo1_abc"),
    ],
)
def test_scheme_by_token_kind(token: str, header: str) -> None:
    assert authorization(token) == header


@pytest.mark.parametrize(
    ("status", "body", "kind", "cause"),
    [
        (400, {"error": "invalid_argument: x"}, FlyError, "fix what Fly names"),
        (400, {"error": "get manifest: MANIFEST_UNKNOWN"}, FlyError, "the image is not in its registry"),
        (401, {"error": "unauthenticated"}, FlyError, "create one with `fly tokens create org`, and set FLY_API_TOKEN"),
        (403, {"error": "unauthorized"}, Forbidden, "use a token of the right organisation"),
        (404, {"error": "machine not found"}, NotFound, "run `pulumi refresh`, then `pulumi up`"),
        (408, {"error": "deadline_exceeded: x"}, FlyError, "run the same command again"),
        (409, {"error": "lease currently held by a@b, expires at 1"}, LeaseHeld, "fly machine leases clear"),
        (409, {"error": "aborted: machine version is x"}, FlyError, "another client is changing the object"),
        (410, {"error": "This cluster has been deleted"}, NotFound, "it has been deleted"),
        (412, {"error": "volume is currently bound to machine: 1"}, FlyError, "destroy the machine first"),
        (412, {"error": "volume x is already attached to machine 1"}, FlyError, "a volume has one machine"),
        (412, {"error": "machine getting replaced"}, FlyError, "another client is changing the object"),
        (422, {"error": "taken", "status": "name_taken"}, FlyError, "app names are unique across all of Fly"),
        (422, {"error": "Name has already been taken"}, FlyError, "choose another name"),
        (422, {"error": "please add a payment method"}, FlyError, "https://fly.io/dashboard/personal/billing"),
        (422, {"error": "x", "status": "insufficient_capacity"}, FlyError, "the region or the volume's host is full"),
        (422, {"error": "x", "status": "volume_placement_capacity"}, FlyError, "use a smaller [[vm]]"),
        (409, {"error": "insufficient resources to create new machine"}, FlyError, "only without a volume"),
        (400, {"error": "could not reserve resource for machine"}, FlyError, "try again later"),
    ],
)
def test_each_cause_has_its_remedy(
    fly: Fly, world: World, *, status: int, body: dict[str, str], kind: type[FlyError], cause: str
) -> None:
    world.faults.arm(Fault("refuse", service="fly", status=status, body=body, times=2))

    with pytest.raises(FlyError) as refused:
        fly.call("POST", "/apps", doing="do a thing", body={})

    message = str(refused.value)
    assert type(refused.value) is kind
    assert cause in message
    assert message.startswith(f"Fly refused to do a thing: {body['error']} (HTTP {status}, fly-request-id ")
    assert "\n" not in message
    assert refused.value.request_id


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no reason given"),
        (b"upstream \n gone\n", "upstream gone"),
        (b"[" * 100_000, "[" * 300 + " (HTTP"),
        (b'["odd"]', "no reason given"),
        (b'{"error": {"odd": 1}, "status": ["odd"]}', "no reason given"),
        (b'{"message": "better", "error": "worse"}', "better"),
        (b"x" * 5000, "x" * 300 + " (HTTP"),
    ],
)
def test_refusal_in_any_form(content: bytes, message: str) -> None:
    error = explain(httpx.Response(418, content=content), "do a thing")

    assert f"refused to do a thing: {message}" in str(error)
    assert len(str(error)) < 600


def test_lost_response_names_request_id(fly: Fly, world: World) -> None:
    world.faults.arm(Fault("refuse", service="fly", times=99))

    with pytest.raises(ProviderError, match=r"cannot look: Fly returned HTTP 503 \(request id: [^)]{8,}\), for 90 s"):
        fly.call("GET", "/apps/solos-prod", doing="look")


def test_cookies_are_kept(world: World, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fly binds a client to one of its servers by a cookie: lists of other servers can be stale."""
    sent: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Cookie", ""))
        return httpx.Response(
            200, headers={"Set-Cookie": "fly-instance=148e; Path=/"}, json={"organization": {"slug": "x"}}
        )

    route_to(monkeypatch, world, httpx.MockTransport(handle))
    for _ in range(2):
        apps.look_up(client(settings), "solos-prod")

    assert sent == ["", "fly-instance=148e"]


def test_response_is_not_json(world: World, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    page = httpx.Response(200, headers={"fly-request-id": "01ABC"}, content=b"<html>")
    route_to(monkeypatch, world, httpx.MockTransport(lambda request: page))

    with pytest.raises(Unreadable, match=r"the response of Fly \(request id 01ABC\) is a web page, perhaps of a proxy"):
        apps.look_up(client(settings), "solos-prod")


def test_retry_until_visible_ends(fly: Fly, world: World) -> None:
    before = world.clock.now()

    with pytest.raises(NotFound, match="Fly refused to look: App not found"):
        retry_until_visible(lambda: fly.call("GET", "/apps/solos-prod", doing="look"))

    assert 60 <= world.clock.now() - before < 70


def test_retry_until_pullable_ends(fly: Fly, world: World) -> None:
    before = world.clock.now()
    missing = {"error": "MANIFEST_UNKNOWN: manifest unknown"}
    world.faults.arm(Fault("refuse", service="fly", status=400, body=missing, times=99))

    with pytest.raises(FlyError, match="the image is not in its registry"):
        retry_until_pullable(lambda: fly.call("POST", "/apps", doing="make it", body={}))

    assert 20 <= world.clock.now() - before < 25


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("FlyV1", "the Fly token is only the word FlyV1: its value is missing"),
        ("Bearer ", "the Fly token is only the word Bearer: its value is missing"),
        ("fm2_one\nfm2_two", "the Fly token contains a line break at position 8"),
        ("FlyV1 fm2_one\r\n,fm2_two", "the Fly token contains a line break at position 8"),
        ("fm2_on\u00e9", "the Fly token contains a character that is not printable ASCII at position 7"),
        ("fm2_one\u200b", "the Fly token contains a character that is not printable ASCII at position 8"),
    ],
)
def test_malformed_token_is_refused(settings: dict[str, Any], world: World, token: str, fault: str) -> None:
    settings["flyApiToken"] = token
    before = world.clock.now()

    with pytest.raises(ProviderError, match=fault) as refused:
        client(settings)

    assert "fm2_on" not in refused.value.message
    assert world.clock.now() == before


@pytest.mark.parametrize("provider", [AppProvider, ImageProvider])
def test_every_provider_checks_token(configured: Configured, settings: dict[str, Any], provider: Any) -> None:
    settings["flyApiToken"] = "FlyV1"
    args = (
        {"reference": "registry.fly.io/a:1"} if provider is ImageProvider else {"name": "solos-prod", "org": "sol-labs"}
    )

    with pytest.raises(ProviderError, match="is only the word FlyV1"):
        Driven(configured(provider)).up(**args)


def test_endpoint_without_scheme(settings: dict[str, Any], world: World) -> None:
    settings["endpoints"] = '{"fly": "127.0.0.1:7700"}'
    before = world.clock.now()

    with pytest.raises(ProviderError, match=r"the endpoint fly is '127\.0\.0\.1:7700', which is not a URL"):
        client(settings)

    assert world.clock.now() == before


def test_bad_token_is_not_shown(configured: Configured, settings: dict[str, Any]) -> None:
    settings["flyApiToken"] = "nonsense-token"

    with pytest.raises(ProviderError, match="FLY_API_TOKEN") as refused:
        Driven(configured(AppProvider)).up(name="solos-prod", org="sol-labs")

    assert "nonsense-token" not in str(refused.value)


def test_rate_limits_are_respected(world: World, settings: dict[str, Any]) -> None:
    world.delays = type(world.delays)(rate_scale=1.0)
    backend = Backend(settings)
    for tag in ("1.0.0", "1.0.1"):
        push(world, tag)

    backend.up()
    backend.up(tag="1.0.1", secrets={"SESSION_KEY": "two"})
    backend.destroy()

    assert 429 not in {call["status"] for call in world.journal.entries()}
