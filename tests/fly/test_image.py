"""The image: a tag resolved to its digest once, by the registry; credentials go only to Fly."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.driver import Driven, Refused
from harness.inprocess import FLY_TOKEN, route_to
from providers.errors import ProviderError
from providers.fly.image import ImageProvider, parse
from rehearsal.cloud.world import World
from tests.fly.conftest import Configured, push

SOLSERVER = "registry.fly.io/solserver"
DIGEST = f"sha256:{'a' * 64}"
MANIFEST = {"schemaVersion": 2}
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def image(configured: Configured) -> Driven:
    return Driven(configured(ImageProvider))


@pytest.fixture
def through(
    configured: Configured, settings: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Handler], Driven]:
    """An image at the registry in its name; a handler answers for every host."""

    def make(handler: Handler) -> Driven:
        settings["endpoints"] = "{}"
        route_to(monkeypatch, world, httpx.MockTransport(handler))
        return Driven(configured(ImageProvider))

    return make


def test_tag_is_pinned(image: Driven, world: World) -> None:
    pinned = push(world, "1.0.0")

    image.up(reference=f"{SOLSERVER}:1.0.0")

    assert image.id == image.outputs["pinned"] == pinned


def test_moved_tag_is_not_drift(image: Driven, world: World) -> None:
    pinned = push(world, "1.0.0")
    image.up(reference=f"{SOLSERVER}:1.0.0")
    push(world, "1.0.0", digest=DIGEST)

    image.refresh()
    image.up(reference=f"{SOLSERVER}:1.0.0")

    assert image.outputs["pinned"] == pinned
    assert image.steps[-1] == "same"


@pytest.mark.parametrize("change", [{"reference": f"{SOLSERVER}:1.0.1"}, {"source": "of another build"}])
def test_change_resolves_in_place(image: Driven, world: World, change: dict[str, str]) -> None:
    push(world, "1.0.0")
    image.up(reference=f"{SOLSERVER}:1.0.0")
    push(world, "1.0.0", digest=DIGEST)
    push(world, "1.0.1", digest=DIGEST)

    image.up(**{"reference": f"{SOLSERVER}:1.0.0", **change})

    assert image.outputs["digest"] == DIGEST
    assert image.steps == ["create", "update"]


def test_digest_is_looked_up(image: Driven, world: World) -> None:
    pinned = push(world, "1.0.0")

    image.up(reference=pinned)

    assert image.outputs["pinned"] == pinned


@pytest.mark.parametrize("reference", [f"{SOLSERVER}:9.9.9", f"{SOLSERVER}@{DIGEST}"])
def test_missing_image_is_refused(image: Driven, reference: str) -> None:
    with pytest.raises(ProviderError, match="the image does not exist: push it first") as refused:
        image.up(reference=reference)

    assert reference in str(refused.value)


@pytest.mark.parametrize("reference", ["", "has space:1", "UPPER/case:1", "a@sha256:short", "a:b:c", "http://a/b:1"])
def test_bad_reference_is_refused(image: Driven, reference: str) -> None:
    with pytest.raises(Refused, match=r"is not a valid image reference|reference is missing"):
        image.up(reference=reference)


@pytest.mark.parametrize(
    ("text", "host", "repository", "target"),
    [
        ("registry.fly.io/app:1", "registry.fly.io", "app", "1"),
        ("ghcr.io/sol-labs/solserver:1.0", "ghcr.io", "sol-labs/solserver", "1.0"),
        ("localhost:5000/app", "localhost:5000", "app", "latest"),
        ("docker.io/library/python:3", "registry-1.docker.io", "library/python", "3"),
        ("python", "registry-1.docker.io", "library/python", "latest"),
        ("flyio/log-shipper:v1", "registry-1.docker.io", "flyio/log-shipper", "v1"),
        (f"ghcr.io/a/b:1@{DIGEST}", "ghcr.io", "a/b", DIGEST),
    ],
)
def test_parts_of_a_reference(text: str, host: str, repository: str, target: str) -> None:
    parsed = parse(text)

    assert (parsed.host, parsed.repository, parsed.target) == (host, repository, target)


def test_fly_token_is_password(through: Callable[[Handler], Driven]) -> None:
    seen: list[tuple[str, str]] = []

    def registry(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("Authorization", "")))
        if request.headers.get("Authorization", "").startswith("Basic"):
            return httpx.Response(200, json={"access_token": "pull"})
        if request.headers.get("Authorization") == "Bearer pull":
            return httpx.Response(200, json=MANIFEST, headers={"Docker-Content-Digest": DIGEST})
        challenge = 'Bearer realm="https://auth.fly.io/token",service="r",scope="repository:solserver:pull"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    through(registry).up(reference=f"{SOLSERVER}:1.0.0")

    basic = "Basic " + base64.b64encode(f"x:{FLY_TOKEN}".encode()).decode()
    assert seen == [("registry.fly.io", ""), ("auth.fly.io", basic), ("registry.fly.io", "Bearer pull")]


@pytest.mark.parametrize(
    ("reference", "realm"),
    [
        ("ghcr.io/sol-labs/solserver:1", "https://ghcr.io/token"),
        ("python:3", "https://auth.docker.io/token"),
        (f"{SOLSERVER}:1", "https://auth.attacker.example/token"),
    ],
)
def test_token_stays_with_fly(through: Callable[[Handler], Driven], reference: str, realm: str) -> None:
    seen: list[str] = []

    def registry(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization", ""))
        if request.url.path == "/token":
            return httpx.Response(200, json={"token": "anonymous"})
        if seen[-1]:
            return httpx.Response(200, json=MANIFEST, headers={"Docker-Content-Digest": DIGEST})
        return httpx.Response(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="r"'})

    through(registry).up(reference=reference)

    assert seen == ["", "", "Bearer anonymous"]


def test_manifest_is_hashed_without_digest(through: Callable[[Handler], Driven]) -> None:
    manifest = b'{"schemaVersion": 2}'
    image = through(lambda _: httpx.Response(200, content=manifest))

    image.up(reference="ghcr.io/a/b:1")

    assert image.outputs["digest"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (403, "use a token of the organisation that owns it"),
        (401, "set FLY_API_TOKEN to a token of the right organisation"),
        (404, "push it first"),
    ],
)
def test_refusal_names_remedy(through: Callable[[Handler], Driven], status: int, remedy: str) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}

    with pytest.raises(ProviderError, match=remedy) as refused:
        through(lambda _: httpx.Response(status, headers=challenge)).up(reference="ghcr.io/a/b:1")

    assert FLY_TOKEN not in str(refused.value)


def test_unknown_authentication_is_refused(through: Callable[[Handler], Driven]) -> None:
    challenge = {"WWW-Authenticate": "Negotiate"}

    with pytest.raises(ProviderError, match="requires an authentication scheme that is not supported: 'Negotiate'"):
        through(lambda _: httpx.Response(401, headers=challenge)).up(reference="ghcr.io/a/b:1")


@pytest.mark.parametrize(
    ("platforms", "refused"),
    [
        (["linux/arm64", "unknown/unknown"], "for linux/arm64, and Fly runs linux/amd64; build it with"),
        (["linux/amd64", "linux/arm64"], ""),
        (["unknown/unknown"], ""),
    ],
)
def test_image_for_another_platform(through: Callable[[Handler], Driven], platforms: list[str], refused: str) -> None:
    """A build on a Mac with Apple silicon is refused before anything changes."""
    parts = [name.split("/") for name in platforms]
    index = {"manifests": [{"platform": {"os": os, "architecture": cpu}} for os, cpu in parts]}
    headers = {"Docker-Content-Digest": DIGEST, "Content-Type": "application/vnd.oci.image.index.v1+json"}
    image = through(lambda _: httpx.Response(200, json=index, headers=headers))

    if refused:
        with pytest.raises(ProviderError, match=refused):
            image.up(reference="ghcr.io/acme/api:1.0.0")
    else:
        assert image.up(reference="ghcr.io/acme/api:1.0.0")["digest"] == DIGEST


@pytest.mark.parametrize(
    ("platform", "refused"), [("linux/arm64", True), ("windows/amd64", True), ("linux/amd64", False)]
)
def test_image_for_one_platform(image: Driven, world: World, platform: str, refused: bool) -> None:
    """An image without an index has its platform in its configuration."""
    push(world, "1.0.0", platform=platform)

    if refused:
        with pytest.raises(ProviderError, match=f"is for {platform}, and Fly runs linux/amd64"):
            image.up(reference=f"{SOLSERVER}:1.0.0")
    else:
        image.up(reference=f"{SOLSERVER}:1.0.0")


@pytest.mark.parametrize("blob", [404, 307])
def test_configuration_elsewhere(through: Callable[[Handler], Driven], blob: int) -> None:
    """Storage gets no credentials. A configuration that cannot be read refuses nothing."""
    config = {"digest": DIGEST, "mediaType": "application/vnd.docker.container.image.v1+json"}
    seen: list[str] = []

    def registry(request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.example":
            seen.append(request.headers.get("Authorization", ""))
            assert dict(request.url.params) == {"signature": "a+b/c="}
            return httpx.Response(200, json={"os": "linux", "architecture": "arm64"})
        if "/blobs/" in request.url.path:
            return httpx.Response(blob, headers={"Location": "https://storage.example/x?signature=a%2Bb%2Fc%3D"})
        if "Authorization" not in request.headers:
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return httpx.Response(200, json={**MANIFEST, "config": config}, headers={"Docker-Content-Digest": DIGEST})

    image = through(registry)

    if blob == 307:
        with pytest.raises(ProviderError, match="is for linux/arm64"):
            image.up(reference=f"{SOLSERVER}:1.0.0")
        assert seen == [""]
    else:
        image.up(reference=f"{SOLSERVER}:1.0.0")
