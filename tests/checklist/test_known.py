"""What rows are evaluated on."""

import pytest

from checklist.known import Shape, kind_of, outputs_read


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("pulumi-python:dynamic/fly:App", "fly:App"),
        ("random:index/randomPet:RandomPet", "random:RandomPet"),
        ("solos:Backend", "solos:Backend"),
        ("solos:index:Backend", "solos:Backend"),
    ],
)
def test_kind(type: str, kind: str) -> None:
    assert kind_of(type) == kind


def test_secret_values_are_not_read() -> None:
    """A running program would spread the secret over everything that is computed from it."""
    assert outputs_read("fly:Secrets") == ("version", "digests")
    assert outputs_read("random:RandomPassword") == ()


def test_one_shape_per_type() -> None:
    with pytest.raises(TypeError, match="fly:App has a shape already: App"):

        class Other(Shape, frozen=True):
            kind = "fly:App"
