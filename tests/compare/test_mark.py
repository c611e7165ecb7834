"""The names by which the tool recognises what it has made."""

from compare.mark import Mark


def test_own_name_is_recognised() -> None:
    assert Mark("my-org").is_in(f"test.{Mark('my-org').new()}")


def test_names_differ() -> None:
    assert Mark("my-org").new() != Mark("my-org").new()


def test_other_names_are_not() -> None:
    """Neither of the same prefix, nor those made for another account."""
    mark = Mark("my-org")

    assert not mark.is_in("solos-compare-production-database")
    assert not mark.is_in("solos-compare-4k2m9x7q-00000000")
    assert not mark.is_in(Mark("other-org").new())
    assert not mark.is_in(mark.new()[:-1])
