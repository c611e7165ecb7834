"""The calls of a backend's whole life, and the double's responses, match Fly's own API description."""

from typing import Any

from rehearsal.cloud.world import World
from tests import specification
from tests.fly import description
from tests.fly.backend import RELEASES, Backend
from tests.fly.conftest import push
from tests.fly.journeys import roll_back


def test_calls_match_fly_description(world: World, settings: dict[str, Any]) -> None:
    described = specification.load(description.NAME)
    for tag, broken in RELEASES.items():
        push(world, tag, broken=broken)
    backend = Backend(settings)

    with specification.checking("fly.test", described) as found:
        backend.up()
        backend.up(tag="1.0.1", secrets={"SESSION_KEY": "two"})
        roll_back(backend)
        for resource in backend.resources.values():
            assert resource.refresh()
        backend.destroy()

    assert found
    assert specification.unexplained(found, description.DEVIATIONS) == []
