"""On which ports the doubles listen: those asked for, else the usual ones if they are free, else others."""

import sys

from rehearsal.cloud.server import Listeners, PortTaken
from rehearsal.cloud.world import World

USUAL = 7700
STEP = 10
"""Between the first ports of two rehearsals; the doubles need fewer than that."""
MAX_REHEARSALS = 10
"""How many rehearsals at a time find predictable ports; further ones get any that are free."""
HELP = f"the first of consecutive ports (default: {USUAL}, or others if these are taken); 0 lets the system choose"


def listeners(world: World, port: int | None) -> Listeners:
    """Listen on `port` and the following ones. None takes the usual ports, or others, which it then says.

    Raises PortTaken for a `port` that another program has.
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
                f"Port {USUAL} or one that follows is in use; the doubles listen at {_listed(world)}.", file=sys.stderr
            )
        return found
    raise AssertionError("the system always has a free port")


def _listed(world: World) -> str:
    used = sorted(int(address.rpartition(":")[2]) for address in world.addresses.values())
    return f"ports {used[0]} to {used[-1]}" if used[-1] - used[0] < STEP else ", ".join(map(str, used))
