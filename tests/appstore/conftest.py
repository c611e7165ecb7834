"""Every test here also checks requests and responses against Apple's API specification, if that is available."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pulumi.dynamic import Config

from harness.inprocess import PROJECT
from providers.appstore.api.client import AppStore
from rehearsal.cloud.world import World
from tests import specification
from tests.appstore import description


@pytest.fixture(autouse=True)
def as_apple_describes_it() -> Iterator[None]:
    with specification.conforming("appstore.test", description.NAME, description.DEVIATIONS):
        yield


@pytest.fixture
def store(world: World, settings: dict[str, Any]) -> Callable[[], AppStore]:
    """Creates clients as the providers do, each with the current configuration."""
    return lambda: AppStore(Config({f"{PROJECT}:{key}": value for key, value in settings.items()}, PROJECT))
