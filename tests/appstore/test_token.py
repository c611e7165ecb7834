"""Tokens: signed once, renewed in time, and the errors when Apple rejects them."""

import base64
import contextlib
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from harness.appstore import calls
from harness.inprocess import ASC_ISSUER_ID, ASC_KEY_ID, Doubles, SharedClock, asc_private_key, control, route_to
from providers import waiting
from providers.appstore.api import token
from providers.appstore.api.client import AppStore
from providers.appstore.api.errors import ClockWrong, KeyRejected, RoleMissing
from providers.appstore.api.objects import App, BundleId
from providers.errors import ProviderError
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World

Store = Callable[[], AppStore]


class Heard(Doubles):
    """The transport to the doubles; `tokens` are the different tokens that were sent, in order."""

    tokens: list[str]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent = request.headers["Authorization"].removeprefix("Bearer ")
        if sent not in self.tokens:
            self.tokens.append(sent)
        return super().handle_request(request)


@pytest.fixture
def heard(world: World, monkeypatch: pytest.MonkeyPatch) -> Heard:
    heard = Heard(world)
    heard.tokens = []
    route_to(monkeypatch, world, heard)
    token._key.cache_clear()  # as in a new process
    return heard


def look(store: AppStore) -> None:
    store.list_all(App, doing="look")


def test_claims(world: World, heard: Heard, store: Store) -> None:
    look(store())

    (sent,) = heard.tokens
    claims = jwt.decode(sent, options={"verify_signature": False})
    assert jwt.get_unverified_header(sent) == {"alg": "ES256", "kid": ASC_KEY_ID, "typ": "JWT"}
    assert (claims["iss"], claims["aud"]) == (ASC_ISSUER_ID, "appstoreconnect-v1")
    assert claims["iat"] < world.clock.now() < claims["exp"] < world.clock.now() + 15 * 60


@pytest.mark.parametrize(
    "form",
    [
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: base64.b64encode(pem.encode()).decode(),
        lambda pem: "".join(pem.splitlines()[1:-1]),
    ],
    ids=["escaped", "base64", "body"],
)
def test_key_in_one_line(form: Callable[[str], str]) -> None:
    """CI systems hold the key in one line."""
    key = token.Key(ASC_KEY_ID, ASC_ISSUER_ID, form(asc_private_key()))

    assert key.authorize(again=False).startswith("Bearer ey")


def test_token_reused(world: World, heard: Heard, store: Store) -> None:
    for _ in range(30):
        look(store())
        world.clock.sleep(60)

    assert len(heard.tokens) == 3
    assert all(entry["status"] == 200 for entry in world.journal.entries("appstore"))


def test_rejected_token_renewed(world: World, heard: Heard, store: Store) -> None:
    """A token that was rejected is not used again."""
    world.faults.arm(Fault("refuse", service="appstore", status=401))

    look(store())

    assert [entry["status"] for entry in world.journal.entries("appstore")] == [401, 200]


def test_key_revoked(world: World, heard: Heard, store: Store) -> None:
    control(world, "DELETE", f"/appstore/keys/{ASC_KEY_ID}")

    with pytest.raises(KeyRejected, match="the key is revoked, or ASC_KEY_ID, ASC_ISSUER_ID and ASC_PRIVATE_KEY"):
        look(store())

    assert len(calls(world)) == 4


@pytest.mark.parametrize("minutes", [-30, 30], ids=["behind", "ahead"])
def test_wrong_clock(heard: Heard, store: Store, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """It is not reported as a wrong key."""
    monkeypatch.setattr(waiting, "clock", SharedClock(start=SharedClock().now() + 60 * minutes))

    with pytest.raises(ClockWrong, match="this machine's clock differs from Apple's"):
        look(store())


def test_individual_key(world: World, heard: Heard, store: Store, settings: dict[str, Any]) -> None:
    """It cannot read bundle IDs."""
    settings["ascIssuerId"] = ""
    key = world.store.get("appstore.keys", ASC_KEY_ID) or {}
    world.store.put("appstore.keys", ASC_KEY_ID, {**key, "issuer_id": None})

    look(store())
    with pytest.raises(RoleMissing, match="individual keys cannot use certificates, profiles and bundle IDs at all"):
        store().list_all(BundleId, doing="look up the bundle ID")

    assert jwt.decode(heard.tokens[0], options={"verify_signature": False})["sub"] == "user"


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_unusable_key(store: Store, settings: dict[str, Any], text: str) -> None:
    """The error does not contain the key."""
    settings["ascPrivateKey"] = text

    with pytest.raises(ProviderError, match=r"set ASC_PRIVATE_KEY to the text of the AuthKey_….p8") as refused:
        store()

    assert text not in str(refused.value)


@pytest.mark.parametrize(("times", "fault"), [(3, None), (4, KeyRejected)])
def test_sporadic_401(world: World, heard: Heard, store: Store, times: int, fault: type[Exception] | None) -> None:
    """Good keys get some: three fresh tokens are tried before the key is blamed."""
    world.faults.arm(Fault("refuse", service="appstore", status=401, times=times))

    with pytest.raises(fault) if fault else contextlib.nullcontext():
        look(store())

    assert len(set(heard.tokens)) == 4


def test_polling_within_rate_limit(world: World, heard: Heard, store: Store) -> None:
    world.delays = Delays(rate_scale=1)
    appstore = store()

    with pytest.raises(ProviderError):
        appstore.poll(lambda: look(appstore), seconds=3600, waiting_for="what never comes")

    assert len(calls(world)) < 150


@pytest.mark.parametrize("calls_of_a_look", [1, 2])
def test_polling_slows_down(world: World, heard: Heard, store: Store, calls_of_a_look: int) -> None:
    """When few calls are left, it uses at most half of them."""
    world.delays = Delays(rate_scale=60 / 3600)
    appstore = store()
    for _ in range(20):
        look(appstore)

    def look_at_all() -> None:
        for _ in range(calls_of_a_look):
            look(appstore)

    with pytest.raises(ProviderError):
        appstore.poll(look_at_all, seconds=3600, waiting_for="what never comes")

    assert len(calls(world)) <= 20 + 40 / 2 + calls_of_a_look
    assert all(entry["status"] == 200 for entry in world.journal.entries("appstore"))


def test_limit_per_minute() -> None:
    key = token.Key(ASC_KEY_ID, ASC_ISSUER_ID, asc_private_key())

    key.note("user-hour-lim:3500;user-hour-rem:3000;user-minute-lim:50;user-minute-rem:4;")

    assert key.pause() == 30
