"""Every answer of the double is as Apple describes it, also to a client that is not as careful as ours."""

from collections.abc import Iterator

import pytest

from tests import specification
from tests.appstore import description


@pytest.fixture(autouse=True)
def answers_as_apple_describes_them() -> Iterator[None]:
    with specification.conforming("appstore.test", description.NAME, description.DEVIATIONS, requests=False):
        yield
