"""Another build or version after a launch: people install it and sign it off again, also when the change is taken back."""

from tests.rehearsal.conftest import Clone


def test_changed_release_recovers(clone: Clone) -> None:
    """TestFlight takes a lower version too, as long as none was approved for the App Store."""
    assert clone.run() == 0, clone.text
    for release in ({"build": "1"}, {"version": "0.9.0"}, {}):
        clone.configure(**release)

        assert clone.run() == 0, f"{release}: {clone.text}"
