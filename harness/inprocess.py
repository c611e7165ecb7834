"""The doubles in this process: providers call them over HTTP without a socket, and the clock advances only by waiting.

Fixtures (available to every test through `tests/conftest.py`):

    world         the doubles, in memory, on a manual clock that the providers use too
    settings      the stack configuration: endpoints and credentials; a test can change it
    configured    `configured(SomeProvider)` is an instance, configured as the engine does it

A fault that breaks the connection raises httpx.ReadError; one that hangs advances the clock by the timeout and raises
httpx.ReadTimeout.
"""

import functools
import io
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
from werkzeug.wrappers import Request

from providers import http, waiting
from providers.resource import Provider
from rehearsal.cloud.betterstack import TOKEN as BETTERSTACK_TOKEN
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
    """The clock of the doubles and of `providers.waiting`."""

    def wall(self) -> float:
        return self.now()


class Doubles(httpx.BaseTransport):
    """Passes a request to the service of its host, and simulates broken connections."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._services = {_host(world.addresses[name]): service for name, service in world.services.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        service = self._services.get(request.url.host)
        if service is None:
            raise httpx.ConnectError(f"no double for {request.url.host}")
        try:
            response = service.respond(Request(_environ(request)))
        except Hung as hung:
            self._world.clock.sleep(min(hung.seconds, request.extensions["timeout"]["read"]))
            raise httpx.ReadTimeout(f"{request.method} {request.url.path} hung") from None
        except Lost:
            raise httpx.ReadError(f"the connection broke during {request.method} {request.url.path}") from None
        content = b"" if request.method == "HEAD" else response.get_data()
        return httpx.Response(response.status_code, headers=list(response.headers), content=content)


@functools.cache
def _host(address: str) -> str:
    return httpx.URL(address).host


def _environ(request: httpx.Request) -> dict[str, Any]:
    """The request as WSGI passes it on."""
    url = request.url
    headers = {_variable(name): value.decode("latin-1") for name, value in request.headers.raw}
    return {
        **headers,
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(request.read()),
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": url.path.encode().decode("latin-1"),
        "QUERY_STRING": url.query.decode(),
        "SERVER_NAME": url.host,
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
    }


@functools.lru_cache(maxsize=64)
def _variable(header: bytes) -> str:
    name = header.decode().upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


@functools.cache
def asc_key() -> ec.EllipticCurvePrivateKey:
    """The private key of the team's API key at App Store Connect."""
    return ec.generate_private_key(ec.SECP256R1())


def asc_private_key() -> str:
    """The key in the format of a .p8 file."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return asc_key().private_bytes(*form).decode()


def new_world(private_key: str | None = None) -> World:
    """New doubles on a manual clock. Our key, or `private_key` from another process, is registered in App Store Connect."""
    world = World(clock=SharedClock())
    for name in world.services:
        world.addresses[name] = address(name)
    public = load_pem_private_key((private_key or asc_private_key()).encode(), None).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    key = {"key_id": ASC_KEY_ID, "issuer_id": ASC_ISSUER_ID, "public_key_pem": pem, "role": "ADMIN"}
    world.store.put("appstore.keys", ASC_KEY_ID, key)
    return world


def copy_of(world: World) -> World:
    """A copy of a world, with its own clock at the same time."""
    copy = new_world()
    copy.delays = world.delays
    copy.clock.sleep(world.clock.now() - copy.clock.now())
    copy.store.copy_from(world.store)
    copy.machines.disks.copy_from(world.machines.disks)
    copy.machines.resume()
    if (world.files / "uploads").exists():
        shutil.copytree(world.files / "uploads", copy.files / "uploads")
    return copy


def route_to(monkeypatch: pytest.MonkeyPatch, world: World, transport: httpx.BaseTransport) -> None:
    """Let the providers use `transport` and the clock of the world, as in a new process."""
    # a new function each time: `providers.http` keeps connections and rate limits for each function
    monkeypatch.setattr(http, "make_transport", lambda base_url: transport)
    monkeypatch.setattr(waiting, "clock", world.clock)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The doubles; in the test `http.make_transport` leads to them."""
    world = new_world()
    route_to(monkeypatch, world, Doubles(world))
    yield world
    world.close()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The stack configuration without the prefix of the project. Credentials in the environment are removed."""
    for variable in ("FLY_API_TOKEN", "ASC_KEY_ID", "ASC_ISSUER_ID", "ASC_PRIVATE_KEY", "BETTERSTACK_API_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(f"{variable}_PATH", raising=False)
    return stack_settings()


def stack_settings() -> dict[str, Any]:
    """Endpoints and credentials of the doubles."""
    return {
        "endpoints": json.dumps(URLS),
        "flyApiToken": FLY_TOKEN,
        "ascKeyId": ASC_KEY_ID,
        "ascIssuerId": ASC_ISSUER_ID,
        "ascPrivateKey": asc_private_key(),
        "betterStackApiToken": BETTERSTACK_TOKEN,
    }


@pytest.fixture
def configured(world: World, settings: dict[str, Any]) -> Callable[[type[ProviderT]], ProviderT]:
    """Creates providers like the engine: without arguments, then `configure`."""
    return functools.partial(configured_provider, settings)


def configured_provider(settings: dict[str, Any], provider: type[ProviderT]) -> ProviderT:
    """A provider, configured as the engine does it."""
    instance = provider()
    config = Config({f"{PROJECT}:{key}": value for key, value in settings.items()}, PROJECT)
    instance.configure(ConfigureRequest(config))
    return instance


def control(world: World, method: str, path: str, body: Any = None) -> Any:
    """A call to the control address of the doubles."""
    response = Doubles(world).handle_request(httpx.Request(method, f"{address('control')}{path}", json=body))
    assert response.is_success, f"control: {method} {path}: HTTP {response.status_code} {response.text}"
    return response.json() if response.content else None
