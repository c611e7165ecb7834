"""The double offers only what Apple documents: requests each of its reads, filters, includes and sort keys once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rehearsal.cloud.appstore.account import account
from rehearsal.cloud.appstore.kinds import Kind
from rehearsal.cloud.world import World
from tests import specification
from tests.appstore import description
from tests.appstore.test_conformance import first_up
from tests.cloud.appstore.caller import Caller

WHOLE = "app-store-connect-4.4.1.json"
ANY_VALUE = {r": filter\[[\w.]+\]=x is not described": "the value is nobody's: that the filter exists is what counts"}


def test_reads_are_documented(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> None:
    """Every read that the double returns is in Apple's OpenAPI file."""
    described = specification.load(WHOLE)
    first_up(world, configured, tmp_path)
    caller = Caller(world)

    with specification.checking("appstore.test", described) as found:
        responses = {path: caller("GET", path) for kind in account(world).kinds.values() for path in reads(kind)}

    wrong = [path for path, response in responses.items() if response.status_code not in (200, 404)]
    assert wrong == []
    assert len(responses) > 200
    assert specification.unexplained(found, {**description.DEVIATIONS, **ANY_VALUE}) == []


def reads(kind: Kind) -> Iterator[str]:
    """A GET for each thing that the kind declares to answer."""
    record = next(iter(kind.records.all(kind.type)), None)
    if "GET_COLLECTION" in kind.operations:
        required = "&".join(f"filter[{value}]=x" for value in kind.required_filters)
        yield f"/v1/{kind.type}?{required}"
        options = [
            *(f"filter[{value}]=x" for value in kind.filters if value not in kind.required_filters),
            *(f"include={value}" for value in kind.includes),
            *(f"sort={sign}{value}" for value in kind.sorts for sign in ("", "-")),
            *(f"fields[{kind.type}]={value}" for value in (*kind.attributes, *kind.relations)),
        ]
        yield from (f"/v1/{kind.type}?{required}&{option}" for option in options)
    if record is None:
        return
    if "GET_INSTANCE" in kind.operations:
        yield f"/v1/{kind.type}/{record['id']}"
        yield from (f"/v1/{kind.type}/{record['id']}?include={value}" for value in kind.includes)
    for name, relation in kind.relations.items():
        if not relation.served:
            continue
        if relation.related and not relation.data_only:
            yield f"/v1/{kind.type}/{record['id']}/{name}"
        if "GET" in relation.linkage and not relation.data_only:
            yield f"/v1/{kind.type}/{record['id']}/relationships/{name}"
