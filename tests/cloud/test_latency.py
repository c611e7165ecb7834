"""The delay `response` of the doubles."""

import httpx

from harness.inprocess import Doubles, control
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.world import World


def test_response_delay(world: World) -> None:
    """Each response of a vendor is delayed; the control address is not."""
    world.delays = Delays(response=0.1)
    before = world.clock.now()

    with httpx.Client(transport=Doubles(world)) as client:
        client.get("http://fly.test/v1/apps/solos-prod")
        client.get("http://appstore.test/v1/apps")
    control(world, "GET", "/journal")

    assert round(world.clock.now() - before, 3) == 0.2
