"""Checks every response of the double against Apple's OpenAPI file."""

from collections.abc import Iterator

import pytest

from tests import specification
from tests.appstore import description


@pytest.fixture(autouse=True)
def answers_as_apple_describes_them() -> Iterator[None]:
    with specification.conforming("appstore.test", description.NAME, description.DEVIATIONS, requests=False):
        yield
