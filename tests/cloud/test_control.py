"""The control address is for programs on this computer, not for the websites that its browser shows."""

import httpx
import pytest

from harness.inprocess import Doubles
from rehearsal.cloud.world import World


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:7700"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_website_refused(world: World, headers: dict[str, str]) -> None:
    with httpx.Client(transport=Doubles(world), base_url="http://control.test") as client:
        response = client.post("/fly/images", json={"reference": "registry.fly.io/a:1"}, headers=headers)

    assert response.status_code == 403
    assert not world.store.all("registry_image")


@pytest.mark.parametrize("host", ["127.0.0.1:7700", "localhost:7700", "[::1]:7700", "localhost"])
def test_program_admitted(world: World, host: str) -> None:
    with httpx.Client(transport=Doubles(world), base_url="http://control.test") as client:
        assert client.get("/faults", headers={"Host": host}).json() == []
