"""Chooses the ports of the doubles: the requested ones, else the usual ones if they are free, else others."""

import sys

from rehearsal.cloud.server import Listeners, PortTaken
from rehearsal.cloud.world import World

USUAL = 7700
STEP = 10
"""Distance between the first ports of two rehearsals; the doubles need fewer ports than that."""
MAX_REHEARSALS = 10
"""How many rehearsals at the same time get predictable ports; others get any free ports."""
HELP = f"the first of consecutive ports (default: {USUAL}, or others if these are taken); 0 lets the system choose"


def listeners(world: World, port: int | None) -> Listeners:
    """Listen on `port` and the following ones. None takes the usual ports if they are free, else others, and prints which.

    Raises PortTaken if another program uses one of the requested ports.
    """
    if port is not None:
        return Listeners(world, port)
    for first in (*range(USUAL, USUAL + MAX_REHEARSALS * STEP, STEP), 0):
        try:
            found = Listeners(world, first)
        except PortTaken:
            continue
        if first != USUAL:
            print(
                f"Port {USUAL} or one of the next ports is in use; the doubles listen on {_listed(world)}.",
                file=sys.stderr,
            )
        return found
    raise AssertionError("the system always has a free port")


def _listed(world: World) -> str:
    used = sorted(int(address.rpartition(":")[2]) for address in world.addresses.values())
    return f"ports {used[0]} to {used[-1]}" if used[-1] - used[0] < STEP else ", ".join(map(str, used))
