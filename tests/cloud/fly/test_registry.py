"""The registry: Fly's part takes a push for an existing app only, and asks for a token by Basic authentication."""

import base64
from collections.abc import Iterator

import httpx
import pytest

from harness.inprocess import FLY_TOKEN, Doubles, control
from rehearsal.cloud.world import World

IMAGE = "registry.fly.io/solserver:1.0.0"
MANIFEST = "/v2/solserver/manifests/1.0.0"


@pytest.fixture
def registry(world: World) -> Iterator[httpx.Client]:
    with httpx.Client(transport=Doubles(world), base_url="http://registry.test") as client:
        yield client


def basic(token: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'x:{token}'.encode()).decode()}"}


def push(world: World, reference: str) -> httpx.Response:
    with httpx.Client(transport=Doubles(world), base_url="http://control.test") as client:
        return client.post("/fly/images", json={"reference": reference})


def test_push_needs_an_app(world: World) -> None:
    refused = push(world, "registry.fly.io/solos-images:1.0.0")
    control(world, "POST", "/fly/apps", {"name": "solos-images", "org": "sol-labs"})

    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    assert push(world, "registry.fly.io/solos-images:1.0.0").is_success


def test_push_to_another_organisation(world: World) -> None:
    control(world, "POST", "/fly/apps", {"name": "solos-images", "org": "strangers"})

    assert push(world, "registry.fly.io/solos-images:1.0.0").status_code == 404


def test_token_by_basic_authentication(world: World, registry: httpx.Client) -> None:
    control(world, "POST", "/fly/images", {"reference": IMAGE})

    challenge = registry.head(MANIFEST)
    response = registry.head(MANIFEST, headers=basic(FLY_TOKEN))

    assert challenge.status_code == 401
    assert challenge.headers["WWW-Authenticate"] == 'Basic realm="flyio-registry.fly.dev"'
    assert response.headers["Docker-Content-Digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("path", "token", "status", "code"),
    [
        ("/v2/nobody/manifests/1", FLY_TOKEN, 404, "NAME_UNKNOWN"),
        ("/v2/solserver/manifests/9", FLY_TOKEN, 404, "MANIFEST_UNKNOWN"),
        (MANIFEST, "fo1_strangers", 403, "DENIED"),
        (MANIFEST, "nonsense", 401, "UNAUTHORIZED"),
    ],
)
def test_refused_pull(registry: httpx.Client, path: str, token: str, status: int, code: str) -> None:
    response = registry.get(path, headers=basic(token))

    assert (response.status_code, response.json()["errors"][0]["code"]) == (status, code)
