"""What a stack may choose for its backend, through the whole program and over real HTTP."""

import httpx
import pytest

from tests.program.stack import Stack, calls, fly

DOMAIN = "api.sollabs.example"
pytestmark = pytest.mark.usefixtures("people")


def test_a_domain_of_ones_own_is_waited_for_and_verified(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(domain=DOMAIN)

    assert stack.run("up") != 0
    (app,) = fly(addresses)["fly_app"]
    assert f"enter at the DNS provider of {DOMAIN}: A {DOMAIN} 66.241.124.100" in stack.text
    assert "Traceback" not in stack.text

    httpx.post(f"{addresses['control']}/fly/dns", json={"hostname": DOMAIN, "points_to": app["name"]})
    assert stack.run("up") == 0, stack.text
    assert stack.outputs()["health"] == f"https://{DOMAIN}/health"
    assert httpx.get(f"{addresses['proxy']}/health", headers={"Host": DOMAIN}).json()["version"] == "1.0.0"

    before = calls(addresses, "fly")
    assert stack.run("up") == 0, stack.text
    assert calls(addresses, "fly") == before
