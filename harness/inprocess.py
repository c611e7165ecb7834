"""The doubles inside the test's own process: providers talk HTTP to them without a socket, and time moves only by waiting.

Fixtures (`tests/conftest.py` offers them to every test):

    world         the doubles, in memory, on a manual clock that the providers wait on too
    settings      what the stack configuration says: the endpoints and the credentials; a test may change it
    configured    `configured(SomeProvider)` is an instance as the engine hands it to a call

A fault that breaks the connection is an httpx.ReadError; one that hangs moves the clock by the caller's timeout and is an
httpx.ReadTimeout.
"""

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pulumi.dynamic import Config, ConfigureRequest

from providers import http, waiting
from providers.resource import Provider
from rehearsal.cloud.clock import ManualClock
from rehearsal.cloud.faults import Hung, Lost
from rehearsal.cloud.world import World
from rehearsal.endpoints import ENDPOINTS


def address(service: str) -> str:
    """The URL of a service of the doubles; its host is `fly-platform.test` for `fly_platform`."""
    return f"http://{service.replace('_', '-')}.test"


PROJECT = "solos"
FLY_TOKEN = "fo1_rehearsal"
ASC_KEY_ID = "INPROCESS1"
ASC_ISSUER_ID = "57246542-96fe-1a63-e053-0824d011072a"
URLS = {endpoint: address(service) for endpoint, service in ENDPOINTS.items()}
"""The value of `solos:endpoints`."""

ProviderT = TypeVar("ProviderT", bound=Provider[Any, Any])


class SharedClock(ManualClock):
    """The one clock of the doubles and of `providers.waiting`."""

    def wall(self) -> float:
        return self.now()


class Doubles(httpx.BaseTransport):
    """Hands a request to the service that its host names, and acts out broken connections."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._services = {
            httpx.URL(address(name)).host: httpx.WSGITransport(service) for name, service in world.services.items()
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        service = self._services.get(request.url.host)
        if service is None:
            raise httpx.ConnectError(f"there is no double of {request.url.host}")
        try:
            return service.handle_request(request)
        except Hung as hung:
            self._world.clock.sleep(min(hung.seconds, request.extensions["timeout"]["read"]))
            raise httpx.ReadTimeout(f"{request.method} {request.url.path} hung") from None
        except Lost:
            raise httpx.ReadError(f"the connection broke during {request.method} {request.url.path}") from None


@functools.cache
def asc_key() -> ec.EllipticCurvePrivateKey:
    """The private key of the team's API key at App Store Connect."""
    return ec.generate_private_key(ec.SECP256R1())


def asc_private_key() -> str:
    """The same as the text of a .p8 file."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return asc_key().private_bytes(*form).decode()


def new_world(private_key: str | None = None) -> World:
    """Doubles of both vendors on a clock of their own; our key is registered at App Store Connect, or `private_key`, which
    was made in another process."""
    world = World(clock=SharedClock())
    for name in world.services:
        world.addresses[name] = address(name)
    public = load_pem_private_key((private_key or asc_private_key()).encode(), None).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    key = {"key_id": ASC_KEY_ID, "issuer_id": ASC_ISSUER_ID, "public_key_pem": pem, "role": "ADMIN"}
    world.store.put("appstore.keys", ASC_KEY_ID, key)
    return world


def copy_of(world: World) -> World:
    """Another world in which all is as in this one, at the same time of its own clock."""
    copy = new_world()
    copy.delays = world.delays
    copy.clock.sleep(world.clock.now() - copy.clock.now())
    copy.store.copy_from(world.store)
    copy.machines.disks.copy_from(world.machines.disks)
    copy.machines.resume()
    if (world.files / "uploads").exists():
        shutil.copytree(world.files / "uploads", copy.files / "uploads")
    return copy


def lead_to(monkeypatch: pytest.MonkeyPatch, world: World, transport: httpx.BaseTransport) -> None:
    """Let the providers talk through `transport` and wait on the world's clock, as a process that has just begun."""
    # Another function each time: `providers.http` keeps one connection pool and one pacing account per function.
    monkeypatch.setattr(http, "make_transport", lambda base_url: transport)
    monkeypatch.setattr(waiting, "clock", world.clock)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The doubles; `http.make_transport` leads to them as long as the test runs."""
    world = new_world()
    lead_to(monkeypatch, world, Doubles(world))
    yield world
    world.close()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The stack configuration without the project's prefix. Credentials of the machine that runs the tests do not count."""
    for variable in ("FLY_API_TOKEN", "ASC_KEY_ID", "ASC_ISSUER_ID", "ASC_PRIVATE_KEY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(f"{variable}_PATH", raising=False)
    return stack_settings()


def stack_settings() -> dict[str, Any]:
    """The endpoints and the credentials of the doubles."""
    return {
        "endpoints": json.dumps(URLS),
        "flyApiToken": FLY_TOKEN,
        "ascKeyId": ASC_KEY_ID,
        "ascIssuerId": ASC_ISSUER_ID,
        "ascPrivateKey": asc_private_key(),
    }


@pytest.fixture
def configured(world: World, settings: dict[str, Any]) -> Callable[[type[ProviderT]], ProviderT]:
    """Makes providers as the engine does: without arguments, then configured."""
    return functools.partial(made, settings)


def made(settings: dict[str, Any], provider: type[ProviderT]) -> ProviderT:
    """A provider as the engine hands it to a call."""
    instance = provider()
    config = Config({f"{PROJECT}:{key}": value for key, value in settings.items()}, PROJECT)
    instance.configure(ConfigureRequest(config))
    return instance


def control(world: World, method: str, path: str, body: Any = None) -> Any:
    """One call to the control address: the human's part, and what no vendor offers."""
    with httpx.Client(transport=Doubles(world), base_url="http://control.test") as client:
        answer = client.request(method, path, json=body)
    assert answer.is_success, f"control: {method} {path}: HTTP {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None
