"""Every answer of the double is as Apple describes it, also to a client that is not as careful as ours."""

from collections.abc import Iterator

import pytest

from tests import specification
from tests.appstore import description


@pytest.fixture(autouse=True)
def answers_as_apple_describes_them() -> Iterator[None]:
    described = specification.find(description.NAME)
    if described is None:
        yield
        return
    with specification.checking("appstore.test", described) as found:
        yield
    answers = {each for each in found if ": the answer" in each}
    assert specification.unexplained(answers, description.DEVIATIONS) == []
