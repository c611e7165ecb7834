"""The double of Fly.io."""

from typing import TYPE_CHECKING

from rehearsal.cloud.fly.machine_life import Machines
from rehearsal.cloud.fly.machines_api import MachinesApi
from rehearsal.cloud.fly.platform import Platform
from rehearsal.cloud.fly.proxy import Proxy
from rehearsal.cloud.fly.registry import Registry
from rehearsal.cloud.service import Service

if TYPE_CHECKING:
    from rehearsal.cloud.world import World


def fly_services(world: "World") -> list[Service]:
    """The services that make up Fly : the Machines API, api.fly.io, the registry and the edge."""
    machines = Machines(world)
    return [MachinesApi(world, machines), Platform(world, machines), Registry(world), Proxy(world, machines)]
