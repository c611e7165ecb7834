"""The protocol: tokens, roles, agreements, queries, pages, bodies."""

from typing import Any

import pytest

from harness.inprocess import ASC_KEY_ID, control
from rehearsal.cloud.world import World
from tests.cloud.appstore.caller import BUNDLE_ID, Caller


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 0},
        {"iss": "someone else"},
        {"aud": "appstoreconnect-v2"},
        {"key_id": "UNKNOWNKEY"},
        {"algorithm": "HS256"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_invalid_token(world: World, wrong: dict[str, Any]) -> None:
    response = Caller(world)("GET", "/v1/apps", **wrong)

    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == "NOT_AUTHORIZED"


def test_token_lifetime(world: World) -> None:
    """Tokens live at most twenty minutes."""
    caller = Caller(world)
    now = int(world.clock.now())

    longest = caller("GET", "/v1/apps", exp=now + 1200)
    longer = caller("GET", "/v1/apps", exp=now + 1201)

    assert (longest.status_code, longer.status_code) == (200, 401)


def test_revoked_key(world: World) -> None:
    control(world, "DELETE", f"/appstore/keys/{ASC_KEY_ID}")

    assert Caller(world)("GET", "/v1/apps").status_code == 401


def test_missing_agreement(world: World) -> None:
    """A missing agreement blocks every call."""
    control(world, "POST", "/appstore/agreements", {"in_effect": False})

    response = Caller(world)("GET", "/v1/users")

    assert response.status_code == 403
    assert response.json()["errors"][0]["code"] == "FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED"


def test_developer_role(world: World) -> None:
    """A developer key cannot register bundle IDs."""
    key = world.store.get("appstore.keys", ASC_KEY_ID)
    world.store.put("appstore.keys", ASC_KEY_ID, {**(key or {}), "role": "DEVELOPER"})
    bundle_id = {"identifier": BUNDLE_ID, "name": "Sol", "platform": "IOS"}

    error = Caller(world).make("bundleIds", bundle_id, status=403)

    assert error["detail"] == "The API key in use does not allow this request"


def test_hourly_limit(world: World) -> None:
    """Responses have the hourly limit, and it is enforced."""
    control(world, "POST", "/delays", {"rate_scale": 2 / 3600})
    caller = Caller(world)

    responses = [caller("GET", "/v1/apps") for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[0].headers["X-Rate-Limit"] == "user-hour-lim:2;user-hour-rem:1;"


def test_apps_cannot_be_created(world: World) -> None:
    error = Caller(world).make("apps", {"name": "SolOS"}, status=403)

    assert error["detail"] == (
        "The resource 'apps' does not allow 'CREATE'. Allowed operations are: GET_COLLECTION, GET_INSTANCE, UPDATE"
    )


@pytest.mark.parametrize("query", ["filter[nonsense]=x", "filter[name]=a&filter[name]=b", "limit=201", "include=owner"])
def test_unknown_parameter(world: World, query: str) -> None:
    response = Caller(world)("GET", f"/v1/apps?{query}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"].startswith("PARAMETER_ERROR.")


def test_parameter_of_a_write(world: World) -> None:
    """Calls that change something have none."""
    response = Caller(world)("POST", "/v1/bundleIds", {}, params={"include": "app"})

    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "PARAMETER_ERROR.ILLEGAL")


def test_no_content(world: World) -> None:
    """It has no type either."""
    caller = Caller(world)
    made = caller.make("bundleIds", {"identifier": BUNDLE_ID, "name": "Sol", "platform": "IOS"})

    response = caller("DELETE", f"/v1/bundleIds/{made['id']}")

    assert response.status_code == 204
    assert "content-type" not in response.headers


def test_platform_filter(world: World) -> None:
    """A bundle ID that Apple shows as UNIVERSAL is one for iOS."""
    caller = Caller(world)
    caller.make("bundleIds", {"identifier": BUNDLE_ID, "name": "Sol", "platform": "IOS"})

    (found,) = caller.read("/v1/bundleIds", **{"filter[platform]": "IOS"})

    assert found["attributes"]["platform"] == "UNIVERSAL"


def test_paging(world: World) -> None:
    caller = Caller(world)
    for number in range(5):
        caller.make("bundleIds", {"identifier": f"{BUNDLE_ID}{number}", "name": "Sol", "platform": "IOS"})

    pages, path = [], f"/v1/bundleIds?limit=2&filter[identifier]={BUNDLE_ID}"
    while path:
        page = caller("GET", path).json()
        pages.append([bundle_id["attributes"]["identifier"][-1] for bundle_id in page["data"]])
        path = page["links"].get("next", "").removeprefix("http://appstore.test")

    assert pages == [["0", "1"], ["2", "3"], ["4"]]


def test_bundle_id_filter(world: World) -> None:
    """Filters of bundle IDs match substrings."""
    caller = Caller(world)
    caller.make("bundleIds", {"identifier": f"{BUNDLE_ID}.widget", "name": "Widget", "platform": "IOS"})

    found = caller.read("/v1/bundleIds", **{"filter[identifier]": BUNDLE_ID})

    assert [bundle_id["attributes"]["identifier"] for bundle_id in found] == [f"{BUNDLE_ID}.widget"]


@pytest.mark.parametrize("name", ["SolOS: days", "Solé"])
def test_invalid_bundle_id_name(world: World, name: str) -> None:
    caller = Caller(world)
    made = caller.make("bundleIds", {"identifier": BUNDLE_ID, "name": "SolOS", "platform": "IOS"})
    document = {"data": {"type": "bundleIds", "id": made["id"], "attributes": {"name": name}}}

    attributes = {"identifier": f"{BUNDLE_ID}.two", "name": name, "platform": "IOS"}
    refused = caller.make("bundleIds", attributes, status=409)
    changed = caller("PATCH", f"/v1/bundleIds/{made['id']}", document)

    assert refused["code"] == "ENTITY_ERROR.ATTRIBUTE.INVALID"
    assert (changed.status_code, refused["source"]) == (409, {"pointer": "/data/attributes/name"})


def test_invalid_attributes(world: World) -> None:
    """Errors name an unknown or missing attribute."""
    caller = Caller(world)

    unknown = caller.make("bundleIds", {"identifier": BUNDLE_ID, "nickname": "Sol"}, status=409)
    missing = caller.make("bundleIds", {"identifier": BUNDLE_ID, "platform": "IOS"}, status=409)

    assert unknown["source"] == {"pointer": "/data/attributes/nickname"}
    assert (missing["code"], missing["source"]["pointer"]) == (
        "ENTITY_ERROR.ATTRIBUTE.REQUIRED",
        "/data/attributes/name",
    )


def test_unknown_path(world: World) -> None:
    response = Caller(world)("GET", "/v1/nonsense/1")

    assert response.json()["errors"][0]["code"] == "NOT_FOUND"
