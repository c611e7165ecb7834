"""Every test of the Apple side also holds both sides of the wire against Apple's own description, where that is there."""

from collections.abc import Iterator

import pytest

from tests import specification
from tests.appstore import description


@pytest.fixture(autouse=True)
def as_apple_describes_it() -> Iterator[None]:
    described = specification.find(description.NAME)
    if described is None:
        yield
        return
    with specification.checking("appstore.test", described) as found:
        yield
    assert specification.unexplained(found, description.DEVIATIONS) == []
