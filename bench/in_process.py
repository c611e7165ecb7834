"""The doubles in this process, on a simulated clock: an hour takes a moment, without noise."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.inprocess import Doubles, ProviderT, configured_provider, new_world, route_to, stack_settings
from rehearsal.cloud.world import World


@contextmanager
def world_in_process() -> Iterator[World]:
    """An empty world; in the block the providers talk to it."""
    world = new_world()
    with pytest.MonkeyPatch.context() as patch:
        route_to(patch, world, Doubles(world))
        yield world
    world.close()


def configured(provider: type[ProviderT]) -> ProviderT:
    return configured_provider(stack_settings(), provider)
