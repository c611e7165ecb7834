"""GraphQL of the double: what flyctl's queries are made of."""

from typing import Any

import pytest

from rehearsal.cloud.fly.graphql import BadQuery, execute


def rename(input: dict[str, Any]) -> dict[str, Any]:
    return {**APP, "name": input["to"]}


APP = {"__typename": "App", "id": "app-1", "name": "solos", "tags": ["a", "b"], "owner": None}
ROOTS = {
    "query": {
        "__typename": "Query",
        "app": lambda name: {**APP, "name": name},
        "apps": [APP, APP],
        "viewer": {"__typename": "User", "email": "mara@sollabs.example"},
    },
    "mutation": {"__typename": "Mutation", "rename": rename},
}


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ apps { id } }", {"apps": [{"id": "app-1"}, {"id": "app-1"}]}),
        ('query Named { app(name: "x") { name tags } }', {"app": {"name": "x", "tags": ["a", "b"]}}),
        ("query ($n: String! = null) { one: app(name: $n) { title: name } }", {"one": {"title": "from variables"}}),
        ("{ app(name: null) { owner { id } } }", {"app": {"owner": None}}),
        ("fragment F on App { id ...G } query Q { apps { ...F } } fragment G on App { name }", None),
        ("{ viewer { ... on User { email } ... on Macaroon { id } } }", {"viewer": {"email": "mara@sollabs.example"}}),
        (
            'mutation($n: X) { rename(input: {to: $n, list: [1, true, "\\""]}) { name } }',
            {"rename": {"name": "from variables"}},
        ),
        ("# a comment\n{ app(name: ENUM, ) { name, } }", {"app": {"name": "ENUM"}}),
    ],
)
def test_selection(query: str, data: Any) -> None:
    expected = {"apps": [{"id": "app-1", "name": "solos"}] * 2} if data is None else data

    assert execute(query, {"n": "from variables"}, ROOTS) == {"data": expected}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("{ nothing }", "Field 'nothing' doesn't exist on type 'Query'"),
        ("{ apps }", "Field must have selections (field 'apps' returns App)"),
        ("{ apps { id { x } } }", "Selections can't be made on scalars (field 'id')"),
        ("{ apps { ...F } }", "Fragment F was used, but not defined"),
        ("{ apps { id }", "Unexpected end of document"),
        ("{ apps { % } }", "Unexpected character '%'"),
        ("fragment F on App { id }", "Expected one operation, found 0"),
    ],
)
def test_bad_query(query: str, error: str) -> None:
    with pytest.raises(BadQuery) as bad:
        execute(query, {}, ROOTS)

    assert str(bad.value) == error
