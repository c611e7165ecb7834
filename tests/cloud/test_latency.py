"""The vendors take as long to answer as they are told to."""

import httpx

from harness.inprocess import Doubles, control
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.world import World


def test_each_answer_takes_its_time_and_control_takes_none(world: World) -> None:
    world.delays = Delays(answer=0.1)
    before = world.clock.now()

    with httpx.Client(transport=Doubles(world)) as client:
        client.get("http://fly.test/v1/apps/solos-prod")
        client.get("http://appstore.test/v1/apps")
    control(world, "GET", "/journal")

    assert round(world.clock.now() - before, 3) == 0.2
