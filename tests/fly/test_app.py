"""The app: created once, adopted when it is ours, refused when it is not, deleted with one call."""

from typing import Any

import pytest

from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.errors import ProviderError
from providers.fly.app import AppProvider
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.fly.backend import living
from tests.fly.conftest import APP, Configured


def names(world: World) -> list[str]:
    return [app["name"] for app in living(world, "fly_app")]


def test_app_is_created_once(configured: Configured, world: World) -> None:
    first, second = Driven(configured(AppProvider)), Driven(configured(AppProvider))

    first.up(**APP)
    first.up(**APP)
    second.up(**APP)  # Another stack, or this one with its state lost.

    assert first.steps == ["create", "same"]
    assert second.outputs["hostname"] == "solos-prod.fly.dev"
    assert names(world) == ["solos-prod"]


def test_taken_name_is_refused(configured: Configured, world: World) -> None:
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "strangers"})

    with pytest.raises(
        ProviderError, match="is taken by another organisation, or the token may not read the app"
    ) as refused:
        Driven(configured(AppProvider)).up(**APP)

    assert "choose another name" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_name_taken_meanwhile(configured: Configured, world: World) -> None:
    taken = {"error": "Validation failed: Name has already been taken", "status": "name_taken"}
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="/apps$", status=422, body=taken))

    with pytest.raises(ProviderError, match="app names are unique across all of Fly"):
        Driven(configured(AppProvider)).up(**APP)


def test_other_organisation_is_refused(app: Driven, configured: Configured) -> None:
    with pytest.raises(ProviderError, match="exists in organisation sol-labs, not in other-org"):
        Driven(configured(AppProvider)).up(name="solos-prod", org="other-org")


def test_app_in_own_network(configured: Configured, world: World) -> None:
    Driven(configured(AppProvider)).up(**APP, network="apart")

    assert living(world, "fly_app")[0]["network"] == "apart"


def test_other_network_is_refused(app: Driven, configured: Configured) -> None:
    with pytest.raises(ProviderError, match="is in network default, not in apart, and an app cannot move"):
        Driven(configured(AppProvider)).up(**APP, network="apart")


@pytest.mark.parametrize("name", ["Solos", "solos_prod", "s", "-solos", "solos-", "1solos"])
def test_bad_name_is_refused(configured: Configured, name: str) -> None:
    with pytest.raises(Refused, match="is not a valid Fly app name"):
        Driven(configured(AppProvider)).up(name=name, org="sol-labs")


@pytest.mark.parametrize("field", ["name", "org", "network"])
def test_changes_that_replace(app: Driven, field: str) -> None:
    assert app.diff(**{**APP, field: "another"}).replaces == [field]


def test_deleted_app_is_gone(app: Driven, configured: Configured) -> None:
    Driven(configured(AppProvider), id=app.id, outputs=app.outputs).destroy()

    assert app.refresh() is False


def test_deletion_is_waited_for(app: Driven, world: World) -> None:
    world.delays = type(world.delays)(app_gone=30.0)
    before = world.clock.now()

    app.destroy()

    assert world.clock.now() >= before + 30.0
    assert names(world) == []


@pytest.mark.parametrize("kind", ["refuse_after", "lose_after", "refuse", "lose_before", "hang"])
def test_deletion_is_sent_once(app: Driven, world: World, kind: Kind) -> None:
    world.faults.arm(Fault(kind, service="fly", method="DELETE"))
    has_acted = kind.endswith("after")

    if has_acted:
        app.destroy()
    else:
        with pytest.raises(ProviderError, match="waiting for app solos-prod to be deleted; run `pulumi destroy` again"):
            app.destroy()

    sent = [call for call in world.journal.entries("fly") if call["method"] == "DELETE"]
    assert len(sent) == 1
    assert names(world) == ([] if has_acted else ["solos-prod"])


def test_another_app_is_not_deleted(app: Driven, configured: Configured, world: World) -> None:
    old = Driven(configured(AppProvider), id=app.id, outputs=app.outputs)
    app.destroy()
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "sol-labs"})

    with pytest.raises(ProviderError, match="is not the one that this stack created"):
        old.destroy()

    assert names(world) == ["solos-prod"]


def test_reused_name_is_left(app: Driven, configured: Configured, world: World) -> None:
    old = Driven(configured(AppProvider), id=app.id, outputs=app.outputs)
    app.destroy()
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "strangers"})

    with pytest.raises(ProviderError, match="is taken by another organisation"):
        old.destroy()

    assert names(world) == ["solos-prod"]


def test_adopted_app_keeps_its_network(app: Driven) -> None:
    before: dict[str, Any] = dict(app.inputs)

    app.refresh()

    assert app.inputs == before
