"""Another build or version after a launch: people install it and sign it off again. A lower one is refused."""

from tests.rehearsal.conftest import Clone


def test_changed_release_recovers(clone: Clone) -> None:
    assert clone.run() == 0, clone.text
    clone.configure(build="1")
    assert clone.run() == 0, clone.text

    clone.configure(build="1", version="0.9.0")
    assert clone.run() != 0
    assert "build 1 of 0.9.0 is lower than build 1 of 1.0.0, which is uploaded; use a higher one" in clone.text

    clone.configure(build="2")
    assert clone.run() == 0, clone.text
