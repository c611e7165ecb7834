"""The client's rules, against the double: pages, lost responses, what is repeated, and what is looked up first."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID, calls
from harness.inprocess import control
from providers.appstore.api.client import AppStore
from providers.appstore.api.errors import AgreementMissing, AppStoreError
from providers.appstore.api.objects import App, BetaGroup, BundleId
from providers.errors import Uncertain, Unreachable
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World

LOST: list[Kind] = ["refuse", "refuse_after", "lose_before", "lose_after", "hang"]


@pytest.fixture
def appstore(store: Callable[[], AppStore]) -> AppStore:
    return store()


def make(appstore: AppStore, identifier: str = BUNDLE_ID) -> BundleId:
    def find() -> BundleId | None:
        found = appstore.list_all(BundleId, doing="look", query={"filter[identifier]": identifier})
        return next((bundle_id for bundle_id in found if bundle_id.identifier == identifier), None)

    given = {"identifier": identifier, "name": "SolOS", "platform": "IOS"}
    return appstore.create(BundleId, given, doing="register it", find=find)


def test_all_pages_read(world: World, appstore: AppStore) -> None:
    for number in range(5):
        make(appstore, f"{BUNDLE_ID}.{number}")
    before = len(calls(world))

    found = appstore.list_all(
        BundleId,
        doing="list",
        query={"limit": 2, "include": "app", "filter[identifier]": [BUNDLE_ID, "com.other"]},
    )

    assert [bundle_id.identifier[-1] for bundle_id in found] == ["0", "1", "2", "3", "4"]
    assert len(calls(world)) - before == 3


def test_next_page_address(world: World, appstore: AppStore) -> None:
    """Taken from the response as it is."""
    for number in range(3):
        make(appstore, f"{BUNDLE_ID}.{number}")

    appstore.list_all(BundleId, doing="list", query={"limit": 2, "filter[identifier]": BUNDLE_ID})

    first, second = (entry["query"] for entry in world.journal.entries("appstore")[-2:])
    assert second == {**first, "cursor": second["cursor"]}


def test_list_of_missing_parent(appstore: AppStore) -> None:
    assert appstore.list_all(BetaGroup, of=App.ref("1"), doing="list") == []


@pytest.mark.parametrize("fault", LOST)
def test_lost_response_of_create(world: World, appstore: AppStore, fault: Kind) -> None:
    world.faults.arm(Fault(fault, service="appstore", method="POST"))

    made = make(appstore)

    (only,) = world.store.all("appstore.bundleIds")
    assert only["id"] == made.id


@pytest.mark.parametrize("fault", LOST)
def test_lost_response_of_update(world: World, appstore: AppStore, fault: Kind) -> None:
    """The object is read before the call is repeated."""
    made = make(appstore)
    before = len(calls(world))
    world.faults.arm(Fault(fault, service="appstore", method="PATCH"))

    changed = appstore.update(BundleId, made.id, {"name": "SolOS days"}, doing="rename it")

    assert changed.name == "SolOS days"
    assert [call.split()[0] for call in calls(world)[before : before + 2]] == ["PATCH", "GET"]


def test_uncertain_write(world: World, appstore: AppStore) -> None:
    world.faults.arm(Fault("refuse", service="appstore", method="POST", status=500, times=99))

    with pytest.raises(Uncertain, match=r"may or may not have happened: register it; .* HTTP 500"):
        make(appstore)

    assert len(calls(world, method="POST")) == 3


@pytest.mark.parametrize("fault", LOST)
def test_safe_calls_repeated(world: World, appstore: AppStore, fault: Kind) -> None:
    made = make(appstore)
    for method in ("GET", "DELETE"):
        world.faults.arm(Fault(fault, service="appstore", method=method))

    read = appstore.get(BundleId, made.id, doing="read it")
    appstore.delete(BundleId.ref(made.id), doing="delete it")

    assert read
    assert read.identifier == BUNDLE_ID
    assert world.store.all("appstore.bundleIds") == []


def test_throttled_write_repeated(world: World, appstore: AppStore) -> None:
    world.faults.arm(Fault("throttle", service="appstore", method="POST", times=3))

    make(appstore)

    assert len(world.store.all("appstore.bundleIds")) == 1


def test_throttled_too_long(world: World, appstore: AppStore) -> None:
    world.faults.arm(Fault("throttle", service="appstore", times=999))

    with pytest.raises(Unreachable, match="cannot look: the rate limit of App Store Connect is reached"):
        appstore.list_all(App, doing="look")

    assert len(calls(world)) < 40


def test_refusal_not_repeated(world: World, appstore: AppStore) -> None:
    make(appstore)

    with pytest.raises(AppStoreError, match="is not available"):
        make(appstore)

    assert len(calls(world, method="POST")) == 2


def test_too_early_create_repeated(world: World, appstore: AppStore) -> None:
    refused: dict[str, Any] = {
        "errors": [{"code": "ENTITY_ERROR.RELATIONSHIP.INVALID", "title": "", "detail": "", "status": "409"}]
    }
    world.faults.arm(Fault("refuse", service="appstore", method="POST", status=409, body=refused, times=4))

    made = appstore.create(
        BundleId,
        {"identifier": BUNDLE_ID, "name": "SolOS", "platform": "IOS"},
        doing="register it",
        find=lambda: None,
        too_early=lambda error: error.has("ENTITY_ERROR.RELATIONSHIP"),
    )

    assert made.identifier == BUNDLE_ID
    assert len(calls(world, method="POST")) == 5


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_agreement_missing(world: World, appstore: AppStore, method: str) -> None:
    """On every kind of call."""
    made = make(appstore)
    control(world, "POST", "/appstore/agreements", {"in_effect": False})
    first: Callable[[], object] = {
        "GET": lambda: appstore.list_all(BundleId, doing="look"),
        "POST": lambda: make(appstore),
        "PATCH": lambda: appstore.update(BundleId, made.id, {"name": "Sol"}, doing="rename it"),
        "DELETE": lambda: appstore.delete(BundleId.ref(made.id), doing="delete it"),
    }[method]

    with pytest.raises(AgreementMissing, match=r"https://appstoreconnect\.apple\.com/agreements"):
        first()
