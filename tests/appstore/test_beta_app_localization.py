"""The test information of an app: one entry per language, adopted if it exists."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import calls, make_app
from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.appstore.beta_app_localization import BetaAppLocalizationProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]


@pytest.fixture
def arguments(world: World, configured: Configured) -> dict[str, Any]:
    app = make_app(world, configured)
    return {"app_id": app, "locale": "en-US", "feedback_email": "feedback@sollabs.example"}


@pytest.fixture
def information(configured: Configured) -> Driven:
    return Driven(configured(BetaAppLocalizationProvider))


def there(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = control(world, "GET", "/appstore/state")["betaAppLocalizations"]
    return found


def test_feedback_address_set(world: World, arguments: dict[str, Any], information: Driven) -> None:
    information.up(**arguments)

    (entry,) = there(world)
    assert (entry["locale"], entry["feedbackEmail"]) == ("en-US", "feedback@sollabs.example")


def test_existing_entry_adopted(
    world: World, arguments: dict[str, Any], configured: Configured, information: Driven
) -> None:
    """It keeps the texts that no argument sets."""
    Driven(configured(BetaAppLocalizationProvider)).up(**{**arguments, "description": "Days, counted."})

    information.up(**{**arguments, "feedback_email": "hello@sollabs.example"})

    (entry,) = there(world)
    assert (entry["feedbackEmail"], entry["description"]) == ("hello@sollabs.example", "Days, counted.")


def test_changed_address(world: World, arguments: dict[str, Any], information: Driven) -> None:
    information.up(**arguments)
    before = len(calls(world))

    information.up(**{**arguments, "feedback_email": "hello@sollabs.example"})

    assert [call.split("/")[2] for call in calls(world)[before:]] == ["betaAppLocalizations"]
    assert information.steps == ["create", "update"]


def test_lost_response(world: World, arguments: dict[str, Any], information: Driven) -> None:
    world.faults.arm(Fault("lose_after", service="appstore", method="POST", path="betaAppLocalizations"))

    information.up(**arguments)

    assert len(there(world)) == 1


def test_refresh(world: World, arguments: dict[str, Any], configured: Configured, information: Driven) -> None:
    information.up(**arguments)
    other = Driven(configured(BetaAppLocalizationProvider))
    other.up(**{**arguments, "feedback_email": "else@sollabs.example"})

    information.refresh()
    assert information.diff(**arguments).changes

    other.destroy()
    assert information.refresh() is False


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"feedback_email": "nobody"}, "'nobody' is not a valid e-mail address"),
        ({"description": "a" * 4001}, "4001 characters"),
    ],
)
def test_invalid_arguments(information: Driven, change: dict[str, str], problem: str) -> None:
    """Refused at preview."""
    with pytest.raises(Refused, match=problem):
        information.up(app_id="1", locale="en-US", **change)
