"""The double of Fly.io."""

from typing import TYPE_CHECKING

from rehearsal.cloud.service import Service

if TYPE_CHECKING:
    from rehearsal.cloud.world import World


def fly_services(world: "World") -> list[Service]:
    """The services that make up Fly: the Machines API, api.fly.io, the registry and the edge."""
    return []
