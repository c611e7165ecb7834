"""Each of thirty changed doubles is found, and reported in one line; an unchanged one differs in nothing."""

from collections.abc import Callable

import pytest

from compare.diff import differences
from compare.side import of_double
from tests.compare import appstore_changes, fly_changes
from tests.compare.changes import Change
from tests.compare.runs import complete, of_changed_double, of_plain_double, ran

CHANGES = [
    *(("fly", change) for change in fly_changes.CHANGES),
    *(("appstore", change) for change in appstore_changes.CHANGES),
]
ids = [f"{vendor}: {change.name}" for vendor, change in CHANGES]


@pytest.mark.parametrize(("vendor", "change"), CHANGES, ids=ids)
def test_change_is_found(vendor: str, change: Change, counted: Callable[[str, int], None]) -> None:
    lines = differences(of_changed_double(vendor, change), of_plain_double(vendor))

    assert len(lines) == 1, lines
    assert [part for part in change.told if part not in lines[0]] == []
    counted(f"of {len(CHANGES)} changed doubles found, each in one line", 1)


@pytest.mark.parametrize(
    ("vendor", "options"),
    [("fly", ()), ("fly", ("postgres",)), ("appstore", ()), ("appstore", ("certificate", "testers"))],
)
def test_double_differs_in_nothing(vendor: str, options: tuple[str, ...]) -> None:
    with of_double(vendor) as side:
        again = complete(ran(side, options=options))

    assert differences(again, of_plain_double(vendor, options)) == []
    assert [seen.step for seen in again.steps if seen.missing or not seen.status] == []
