"""The doubles in this process, on a simulated clock: what takes an hour there takes a moment here, and nothing is noisy."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.inprocess import Doubles, ProviderT, lead_to, made, new_world, stack_settings
from rehearsal.cloud.world import World


@contextmanager
def world_in_process() -> Iterator[World]:
    """An empty world, with which the providers talk as long as the block runs."""
    world = new_world()
    with pytest.MonkeyPatch.context() as patch:
        lead_to(patch, world, Doubles(world))
        yield world
    world.close()


def configured(provider: type[ProviderT]) -> ProviderT:
    return made(stack_settings(), provider)
