"""The app: made once, adopted when it is ours, refused when it is not, deleted without ever repeating a deletion."""

from typing import Any

import pytest

from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.errors import ProviderError
from providers.fly.app import AppProvider
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.fly.conftest import APP, Configured


def names(world: World) -> list[str]:
    return [each["name"] for each in world.store.all("fly_app") if each["_gone_at"] is None]


def test_an_app_is_made_once(configured: Configured, world: World) -> None:
    first, second = Driven(configured(AppProvider)), Driven(configured(AppProvider))

    first.up(**APP)
    first.up(**APP)
    second.up(**APP)  # Another stack, or this one with its state lost.

    assert first.steps == ["create", "same"]
    assert second.outputs["hostname"] == "solos-prod.fly.dev"
    assert names(world) == ["solos-prod"]


def test_a_name_that_strangers_have_is_refused_in_one_line(configured: Configured, world: World) -> None:
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "strangers"})

    with pytest.raises(
        ProviderError, match="is taken by another organisation, or the token may not read the app"
    ) as refused:
        Driven(configured(AppProvider)).up(**APP)

    assert "choose another name" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_that_is_taken_between_look_and_creation_is_told(configured: Configured, world: World) -> None:
    taken = {"error": "Validation failed: Name has already been taken", "status": "name_taken"}
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="/apps$", status=422, body=taken))

    with pytest.raises(ProviderError, match="app names are unique across all of Fly"):
        Driven(configured(AppProvider)).up(**APP)


def test_an_app_of_ours_in_another_organisation_is_not_adopted(app: Driven, configured: Configured) -> None:
    with pytest.raises(ProviderError, match="exists in organisation sol-labs, not in other-org"):
        Driven(configured(AppProvider)).up(name="solos-prod", org="other-org")


def test_an_app_has_a_network_of_its_own(configured: Configured, world: World) -> None:
    Driven(configured(AppProvider)).up(**APP, network="apart")

    assert world.store.all("fly_app")[0]["network"] == "apart"


def test_an_app_in_another_network_is_not_adopted(app: Driven, configured: Configured) -> None:
    with pytest.raises(ProviderError, match="is in network default, not in apart, and an app cannot move"):
        Driven(configured(AppProvider)).up(**APP, network="apart")


@pytest.mark.parametrize("name", ["Solos", "solos_prod", "s", "-solos", "solos-", "1solos"])
def test_a_name_that_cannot_be_is_refused_at_preview(configured: Configured, name: str) -> None:
    with pytest.raises(Refused, match="is not a valid Fly app name"):
        Driven(configured(AppProvider)).up(name=name, org="sol-labs")


@pytest.mark.parametrize("field", ["name", "org", "network"])
def test_what_cannot_change_replaces_the_app(app: Driven, field: str) -> None:
    assert app.diff(**{**APP, field: "another"}).replaces == [field]


def test_an_app_that_was_deleted_is_found_gone(app: Driven, configured: Configured) -> None:
    Driven(configured(AppProvider), id=app.id, outputs=app.outputs).destroy()

    assert app.refresh() is False


def test_a_deletion_is_waited_for(app: Driven, world: World) -> None:
    world.delays = type(world.delays)(app_gone=30.0)
    before = world.clock.now()

    app.destroy()

    assert world.clock.now() >= before + 30.0
    assert names(world) == []


@pytest.mark.parametrize("kind", ["refuse_after", "lose_after", "refuse", "lose_before", "hang"])
def test_a_deletion_is_sent_once_whatever_becomes_of_its_answer(app: Driven, world: World, kind: Kind) -> None:
    world.faults.arm(Fault(kind, service="fly", method="DELETE"))
    has_acted = kind.endswith("after")

    if has_acted:
        app.destroy()
    else:
        with pytest.raises(ProviderError, match="Fly still has it \\(run `pulumi destroy` again"):
            app.destroy()

    sent = [call for call in world.journal.entries("fly") if call["method"] == "DELETE"]
    assert len(sent) == 1
    assert names(world) == ([] if has_acted else ["solos-prod"])


def test_a_later_app_of_the_same_name_is_not_deleted(app: Driven, configured: Configured, world: World) -> None:
    old = Driven(configured(AppProvider), id=app.id, outputs=app.outputs)
    app.destroy()
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "sol-labs"})

    with pytest.raises(ProviderError, match="is not the one that this stack created"):
        old.destroy()

    assert names(world) == ["solos-prod"]


def test_a_name_that_somebody_else_took_after_our_deletion_is_left_alone(
    app: Driven, configured: Configured, world: World
) -> None:
    old = Driven(configured(AppProvider), id=app.id, outputs=app.outputs)
    app.destroy()
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "strangers"})

    with pytest.raises(ProviderError, match="is taken by another organisation"):
        old.destroy()

    assert names(world) == ["solos-prod"]


def test_arguments_of_an_adopted_app_are_its_own(app: Driven) -> None:
    before: dict[str, Any] = dict(app.inputs)

    app.refresh()

    assert app.inputs == before
