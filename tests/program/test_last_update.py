"""The output `lastUpdate`."""

from components.backend.component import last_update


def test_measured_update() -> None:
    assert last_update("2026-11-27T09:00:00+00:00", 1.5, 2.0, 0.4, "") == (
        "verified 2026-11-27T09:00:00+00:00: started after 1.5 s, checks passed after 2.0 s, down for 0.4 s at most, snapshot none"
    )


def test_version_of_a_rollback() -> None:
    """A refresh after a rollback finds a version that was not measured."""
    assert last_update("", 0.0, 0.0, 0.0, "").startswith("not measured: a rollback")
