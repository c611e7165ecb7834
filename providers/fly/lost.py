"""What a person has declared lost for one run: a region that is down for hours, or the host of a volume.

    FLY_LOST=sjc pulumi up --refresh
    FLY_LOST="vol_4y7l3nk2 3d8d9e64c01e89" pulumi up --refresh

FLY_LOST names regions, volumes, machines and Postgres clusters, separated by spaces. The refresh reads them as gone, and nothing
adopts them. Without it, a refresh fails when a volume or a cluster is gone: dropped from the state, it would be replaced by an empty
one. It is in the environment because the declaration is for this run only, and because the engine passes a refresh the
configuration of the run before. Nothing is deleted that holds data: a lost volume stays at Fly.
"""

import os

VARIABLE = "FLY_LOST"


def anything_is_lost() -> bool:
    """Whether this run declares anything lost."""
    return bool(os.environ.get(VARIABLE))


def is_lost(id: str, region: str) -> bool:
    """Whether the volume, machine or cluster `id` in `region` is declared lost."""
    return not {id, region}.isdisjoint(os.environ.get(VARIABLE, "").split())
