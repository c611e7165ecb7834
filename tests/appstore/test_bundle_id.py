"""Bundle IDs: adopted by identifier, never changed, and never removed from an app."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID, calls, make_app
from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.appstore.bundle_id import BundleIdProvider, name_for
from providers.errors import ProviderError
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]
ARGUMENTS = {"identifier": BUNDLE_ID, "name": "SolOS"}


@pytest.fixture
def bundle_id(configured: Configured) -> Driven:
    return Driven(configured(BundleIdProvider))


def identifiers(world: World) -> list[str]:
    return sorted(bundle_id["attributes"]["identifier"] for bundle_id in world.store.all("appstore.bundleIds"))


def test_adopted(world: World, configured: Configured, bundle_id: Driven) -> None:
    """By exact identifier: Apple's filter also returns similar ones."""
    for other in (f"{BUNDLE_ID}.widget", f"app.{BUNDLE_ID}", BUNDLE_ID):
        made = Driven(configured(BundleIdProvider))
        made.up(identifier=other, name="SolOS")

    bundle_id.up(**ARGUMENTS)

    assert bundle_id.id == made.id
    assert len(calls(world, method="POST")) == 3


@pytest.mark.parametrize("fault", ["refuse", "refuse_after", "lose_before", "lose_after", "hang"])
def test_lost_response(world: World, bundle_id: Driven, fault: Kind) -> None:
    world.faults.arm(Fault(fault, service="appstore", method="POST"))

    bundle_id.up(**ARGUMENTS)

    assert identifiers(world) == [BUNDLE_ID]


def test_nothing_changes(world: World, bundle_id: Driven) -> None:
    """UNIVERSAL, which Apple reports for IOS, is not a difference; nor is a name, which an existing bundle ID keeps."""
    bundle_id.up(**ARGUMENTS, platform="IOS")
    bundle_id.refresh()

    bundle_id.up(**ARGUMENTS, platform="IOS")
    bundle_id.up(identifier=BUNDLE_ID, name="SolOS days", platform="IOS")

    assert bundle_id.steps == ["create", "read", "same", "same"]
    assert calls(world, method="PATCH") == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("SolOS: days", "SolOS days"),
        ("Solé & Son's  Café", "Sole Son s Cafe"),
        ("太陽", "com sollabs solos"),
    ],
)
def test_name_from_title(world: World, bundle_id: Driven, title: str, name: str) -> None:
    """Apple refuses punctuation and other letters; the double too."""
    bundle_id.up(identifier=BUNDLE_ID, name=name_for(title, BUNDLE_ID))

    (made,) = world.store.all("appstore.bundleIds")
    assert made["attributes"]["name"] == name


@pytest.mark.parametrize("name", ["SolOS: days", "Solé", ""])
def test_invalid_name(bundle_id: Driven, name: str) -> None:
    with pytest.raises(Refused, match="is not a valid name of a bundle ID"):
        bundle_id.up(identifier=BUNDLE_ID, name=name)


def test_used_by_app(world: World, configured: Configured, bundle_id: Driven) -> None:
    app = make_app(world, configured)
    bundle_id.up(**ARGUMENTS)

    with pytest.raises(
        ProviderError, match=rf"is used by app {app}, and Apple binds an app to its bundle ID permanently"
    ):
        bundle_id.up(identifier=f"{BUNDLE_ID}.two", name="SolOS")

    assert identifiers(world) == [BUNDLE_ID]


def test_replaced_once_unused(world: World, bundle_id: Driven) -> None:
    """Its identifier may change after a refresh has seen that no app uses it."""
    bundle_id.up(**ARGUMENTS)
    other = {"identifier": f"{BUNDLE_ID}.two", "name": "SolOS"}
    with pytest.raises(ProviderError, match=r"may be used by an app.*run `pulumi refresh`"):
        bundle_id.up(**other)

    bundle_id.refresh()
    bundle_id.up(**other)

    assert bundle_id.steps == ["create", "read", "replace"]
    assert identifiers(world) == [f"{BUNDLE_ID}.two"]


def test_taken_by_another_team(world: World, bundle_id: Driven) -> None:
    control(world, "POST", "/appstore/strangers", {"identifier": BUNDLE_ID})

    with pytest.raises(ProviderError, match="another team has registered it"):
        bundle_id.up(**ARGUMENTS)


def test_visible_late(world: World, configured: Configured, bundle_id: Driven) -> None:
    """It is not reported as another team's."""
    Driven(configured(BundleIdProvider)).up(**ARGUMENTS)
    nothing = {"data": [], "links": {"self": "x"}}
    world.faults.arm(Fault("refuse", service="appstore", method="GET", status=200, body=nothing, times=2))

    bundle_id.up(**ARGUMENTS)

    assert identifiers(world) == [BUNDLE_ID]


def test_other_platform(configured: Configured, bundle_id: Driven) -> None:
    Driven(configured(BundleIdProvider)).up(**ARGUMENTS, platform="MAC_OS")

    with pytest.raises(ProviderError, match="is registered for MAC_OS, not for IOS"):
        bundle_id.up(**ARGUMENTS)


def test_destroy(world: World, configured: Configured, bundle_id: Driven) -> None:
    """Deletes it only if no app uses it."""
    spare = Driven(configured(BundleIdProvider))
    spare.up(identifier=f"{BUNDLE_ID}.spare", name="Spare")
    make_app(world, configured)
    bundle_id.up(**ARGUMENTS)

    spare.destroy()
    bundle_id.destroy()

    assert identifiers(world) == [BUNDLE_ID]


@pytest.mark.parametrize("identifier", ["solos", "com.sollabs.", "com.sollabs.*", "com.sol_labs.solos"])
def test_invalid_identifier(bundle_id: Driven, identifier: str) -> None:
    with pytest.raises(Refused, match="is not a valid bundle ID"):
        bundle_id.up(identifier=identifier, name="SolOS")
