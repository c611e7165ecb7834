"""Each of thirty changed doubles is found, and reported in one line; an unchanged one differs in nothing."""

from collections.abc import Callable

import pytest

from compare.diff import differences
from compare.side import of_double
from tests.compare import appstore_changes, fly_changes
from tests.compare.changes import Change, together
from tests.compare.runs import complete, of_changed_double, of_plain_double, ran

CHANGES = {"fly": fly_changes.CHANGES, "appstore": appstore_changes.CHANGES}
COUNT = sum(len(changes) for changes in CHANGES.values())
RUNS = [(vendor, group) for vendor, changes in CHANGES.items() for group in together(changes)]
ids = [f"{vendor}: {group[0].name}{f' and {len(group) - 1} more' if group[1:] else ''}" for vendor, group in RUNS]


@pytest.mark.parametrize(("vendor", "changes"), RUNS, ids=ids)
def test_change_is_found(vendor: str, changes: list[Change], counted: Callable[[str, int], None]) -> None:
    """Several in one run, each of them in other calls; together they have as many lines as there are changes."""
    lines = differences(of_changed_double(vendor, *changes), of_plain_double(vendor))

    found = {change.name: [line for line in lines if all(part in line for part in change.line)] for change in changes}
    assert [name for name, own in found.items() if len(own) != 1] == [], lines
    assert len(lines) == len(changes), lines
    counted(f"of {COUNT} changed doubles found, each in one line", len(changes))


@pytest.mark.parametrize(
    ("vendor", "options"),
    [("fly", ()), ("fly", ("postgres",)), ("appstore", ()), ("appstore", ("certificate", "testers"))],
)
def test_double_differs_in_nothing(vendor: str, options: tuple[str, ...]) -> None:
    with of_double(vendor) as side:
        again = complete(ran(side, options=options))

    assert differences(again, of_plain_double(vendor, options)) == []
    assert [seen.step for seen in again.steps if seen.missing or not seen.status] == []
