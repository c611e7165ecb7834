"""Tester groups: unique names, attributes that Apple sets only at creation, and no testers lost without request."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import calls, make_app, make_group
from harness.driver import Driven, Refused
from providers.appstore.beta_group import BetaGroupProvider
from providers.errors import ProviderError
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]


@pytest.fixture
def app(world: World, configured: Configured) -> str:
    return make_app(world, configured)


@pytest.fixture
def arguments(app: str) -> dict[str, Any]:
    return {"app_id": app, "name": "Internal Testers"}


@pytest.fixture
def group(configured: Configured) -> Driven:
    return Driven(configured(BetaGroupProvider))


def names(world: World) -> list[str]:
    return [group["attributes"]["name"] for group in world.store.all("appstore.betaGroups")]


def test_created_once_then_adopted(
    world: World, configured: Configured, group: Driven, arguments: dict[str, Any]
) -> None:
    """By exact name: Apple's filter also returns similar ones."""
    Driven(configured(BetaGroupProvider)).up(**{**arguments, "name": "Internal Testers, Berlin"})
    first = Driven(configured(BetaGroupProvider))
    first.up(**arguments)

    group.up(**arguments)
    group.up(**arguments)

    assert group.id == first.id
    assert group.steps == ["create", "same"]
    assert len(names(world)) == 2


@pytest.mark.parametrize("fault", ["refuse", "refuse_after", "lose_before", "lose_after", "hang"])
def test_lost_response(world: World, group: Driven, arguments: dict[str, Any], fault: Kind) -> None:
    world.faults.arm(Fault(fault, service="appstore", method="POST", path="betaGroups"))

    group.up(**arguments)

    assert names(world) == ["Internal Testers"]


def test_app_too_new(world: World, configured: Configured, group: Driven) -> None:
    """Apple refuses groups of an app that was just created; the call is repeated."""
    world.delays = Delays(group_too_early=100)
    app = make_app(world, configured)

    group.up(app_id=app, name="Internal Testers")

    assert names(world) == ["Internal Testers"]
    assert 3 < len(calls(world, method="POST")) < 12


def test_ambiguous_name(world: World, configured: Configured, group: Driven, arguments: dict[str, Any]) -> None:
    Driven(configured(BetaGroupProvider)).up(**arguments)
    (one,) = world.store.all("appstore.betaGroups")
    world.store.put("appstore.betaGroups", "another", {**one, "id": "another"})

    with pytest.raises(ProviderError, match=r"has 2 tester groups named 'Internal Testers' \(.*another"):
        group.up(**arguments)


def test_changed_in_place(world: World, group: Driven, arguments: dict[str, Any]) -> None:
    group.up(**arguments)

    group.up(**{**arguments, "name": "Team"}, feedback_enabled=False)

    assert group.steps == ["create", "update"]
    assert names(world) == ["Team"]
    assert len(calls(world, method="PATCH")) == 1


def test_adopted_unchanged(world: World, configured: Configured, group: Driven, arguments: dict[str, Any]) -> None:
    """An existing group keeps what the stack does not name."""
    Driven(configured(BetaGroupProvider)).up(**arguments, feedback_enabled=False)

    outputs = group.up(**arguments)

    assert (outputs["feedback_enabled"], group.diff(**arguments).changes) == (False, False)
    assert calls(world, method="PATCH") == []


def test_name_taken(world: World, configured: Configured, group: Driven, arguments: dict[str, Any]) -> None:
    Driven(configured(BetaGroupProvider)).up(**{**arguments, "name": "Team"})
    group.up(**arguments)

    with pytest.raises(ProviderError, match="has another tester group 'Team'"):
        group.up(**{**arguments, "name": "Team"})

    assert sorted(names(world)) == ["Internal Testers", "Team"]


@pytest.mark.parametrize("automatic", [True, False])
def test_access_not_set_is_kept(
    configured: Configured, group: Driven, arguments: dict[str, Any], automatic: bool
) -> None:
    Driven(configured(BetaGroupProvider)).up(**arguments, has_access_to_all_builds=automatic)

    group.up(**arguments)
    group.refresh()
    group.up(**arguments)

    assert group.outputs["has_access_to_all_builds"] is automatic
    assert group.steps == ["create", "read", "same"]


def test_other_access_not_adopted(configured: Configured, group: Driven, arguments: dict[str, Any]) -> None:
    Driven(configured(BetaGroupProvider)).up(**arguments)

    with pytest.raises(ProviderError, match="already has a tester group 'Internal Testers' with other values of has_"):
        group.up(**arguments, has_access_to_all_builds=True)


@pytest.mark.parametrize("change", [{"has_access_to_all_builds": True}, {"internal": False}])
def test_replacement_refused(group: Driven, arguments: dict[str, Any], change: dict[str, Any]) -> None:
    """A replacement would lose the testers."""
    group.up(**arguments)

    with pytest.raises(ProviderError, match=r"loses its testers; .* set drops_testers"):
        group.diff(**arguments, **change)


def test_replacement_allowed(world: World, configured: Configured, app: str) -> None:
    group = make_group(world, configured, app)

    group.up(app_id=app, name="Internal Testers", has_access_to_all_builds=True, drops_testers=True)

    (made,) = world.store.all("appstore.betaGroups")
    assert group.steps == ["create", "replace"]
    assert (made["id"], made["attributes"]["hasAccessToAllBuilds"]) == (group.id, True)


def test_refresh(world: World, group: Driven, arguments: dict[str, Any]) -> None:
    group.up(**arguments)
    (made,) = world.store.all("appstore.betaGroups")
    world.store.put("appstore.betaGroups", made["id"], {**made, "attributes": {**made["attributes"], "name": "Team"}})

    assert group.refresh()
    assert group.inputs["name"] == "Team"
    world.store.delete("appstore.betaGroups", made["id"])
    assert not group.refresh()


def test_destroy(world: World, configured: Configured, group: Driven, arguments: dict[str, Any]) -> None:
    group.up(**arguments)
    twin = Driven(configured(BetaGroupProvider))
    twin.up(**arguments)

    group.destroy()
    twin.destroy()

    assert names(world) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (
            {"internal": False, "has_access_to_all_builds": True},
            "only an internal group can have has_access_to_all_builds",
        ),
        ({"name": " "}, "is empty"),
    ],
)
def test_invalid_arguments(group: Driven, wrong: dict[str, Any], problem: str) -> None:
    """Refused at preview."""
    with pytest.raises(Refused, match=problem):
        group.up(**{"app_id": "1", "name": "Team", **wrong})
