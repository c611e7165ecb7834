"""One side of a comparison: a vendor with the credentials of the environment, or its double in this process."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx

from compare import double, fly
from compare.recording import DOUBLE
from compare.script import Script
from compare.wire import Budget, Clock, Wire
from harness.inprocess import FLY_TOKEN, Doubles
from providers import waiting
from providers.http import make_transport
from rehearsal.cloud.world import World

VENDORS = ("fly",)


class Missing(Exception):
    """Something is missing that the command line or the environment has to give. The message says what."""


@dataclass(frozen=True, kw_only=True)
class Side:
    script: Script
    transport: httpx.BaseTransport
    clock: Clock
    source: str
    """The name of the vendor, or `double`."""

    def wire(self, budget: Budget, transport: httpx.BaseTransport | None = None) -> Wire:
        """A new connection, through `transport` if it is given."""
        script, through = self.script, transport or self.transport
        return Wire(script.apis, through, self.clock, budget=budget, may_write=script.may_write, pace=script.pace)


def of_vendor(vendor: str, *, org: str, environment: Mapping[str, str]) -> Side:
    """The vendor itself. Raises Missing."""
    if not org:
        raise Missing("name the organisation: make compare VENDOR=fly ORG=my-org")
    if not environment.get("FLY_API_TOKEN"):
        raise Missing('set FLY_API_TOKEN: export FLY_API_TOKEN="$(fly tokens create org -o ORG)", with the quotes')
    script = fly.script(org, environment["FLY_API_TOKEN"])
    return Side(script=script, transport=make_transport(""), clock=waiting.clock, source=script.title)


@dataclass(frozen=True, kw_only=True)
class DoubleSide(Side):
    world: World


@contextlib.contextmanager
def of_double(vendor: str) -> Iterator[DoubleSide]:
    """A new double."""
    world = double.world()
    try:
        script = fly.script(double.ORG, FLY_TOKEN, double.FLY_ADDRESSES)
        yield DoubleSide(script=script, transport=Doubles(world), clock=world.clock, source=DOUBLE, world=world)
    finally:
        world.close()
