"""What a person has declared lost for one run: a region that is down for hours, or the host of a volume.

    FLY_LOST=sjc pulumi up --refresh
    FLY_LOST="vol_4y7l3nk2 3d8d9e64c01e89" pulumi up --refresh
    FLY_LOST="vol_4y7l3nk2 empty" pulumi up --refresh

FLY_LOST names regions, volumes, machines and Postgres clusters, separated by spaces. The refresh reads them as gone, and nothing
adopts them. Without it, a refresh fails when a volume or a cluster is gone: dropped from the state, it would be replaced by an empty
one. It is in the environment because the declaration is for this run only, and because the engine passes a refresh the
configuration of the run before. Nothing is deleted that holds data: a lost volume stays at Fly.

What is created in place of a lost volume must begin with its data, from a snapshot or a replica. The word `empty` is a second
declaration: that the data is given up. The state of the new volume records what it replaces (`replaces_lost`), so that this also holds
in a later run, when one with FLY_LOST ends before the machine is created.
"""

import os

VARIABLE = "FLY_LOST"
EMPTY = "empty"


def lost_names() -> str:
    """What this run declares lost."""
    return " ".join(name for name in _words() if name != EMPTY)


def anything_is_lost() -> bool:
    return bool(_words())


def is_given_up() -> bool:
    """Whether this run declares that the lost data is given up."""
    return EMPTY in _words()


def is_lost(id: str, region: str) -> bool:
    """Whether the volume, machine or cluster `id` in `region` is declared lost."""
    return not {id, region}.isdisjoint(_words())


def _words() -> list[str]:
    return os.environ.get(VARIABLE, "").split()
