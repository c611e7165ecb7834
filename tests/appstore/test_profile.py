"""There is one valid profile of the stack's certificate; what spoils it makes another, and the old one goes."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID, calls
from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.bundle_id_capabilities import BundleIdCapabilitiesProvider
from providers.appstore.certificate import CertificateProvider
from providers.appstore.profile import ProfileProvider
from providers.properties import SECRET, marked
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.appstore.signing import DAY, key_arguments, profiles
from tests.cloud.appstore.caller import Caller


@pytest.fixture
def arguments(configured: Callable[[Any], Any]) -> dict[str, Any]:
    """Of a profile for a bundle ID that has just been registered."""
    bundle_id, certificate = Driven(configured(BundleIdProvider)), Driven(configured(CertificateProvider))
    bundle_id.up(identifier=BUNDLE_ID, name="SolOS")
    certificate.up(**key_arguments())
    return {"name": "SolOS App Store", "bundle_id": bundle_id.id, "certificate_ids": [certificate.id]}


@pytest.fixture
def profile(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(ProfileProvider))


def test_a_profile_of_the_certificate_is_made(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    outputs = profile.up(**arguments)

    (made,) = profiles(world)
    assert (made["id"], made["name"], made["uuid"]) == (profile.id, outputs["full_name"], outputs["uuid"])
    assert outputs["full_name"].startswith("SolOS App Store ")
    assert outputs["team_id"] == "SLLABS4TM1"


def test_its_content_is_secret() -> None:
    assert marked(ProfileProvider.State, SECRET) == {"content"}


def test_a_bundle_id_that_was_just_made_is_waited_for(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    profile.up(**arguments)

    assert calls(world, method="POST").count("POST /v1/profiles") == 2


@pytest.mark.parametrize("kind", ["lose_before", "lose_after", "refuse_after"])
def test_a_profile_whose_answer_was_lost_is_found_by_its_name(
    world: World, arguments: dict[str, Any], profile: Driven, kind: Any
) -> None:
    world.faults.arm(Fault(kind, service="appstore", method="POST", path="^/v1/profiles$", skip=1))

    profile.up(**arguments)

    assert [each["id"] for each in profiles(world)] == [profile.id]


def test_another_certificate_makes_another_profile_and_deletes_the_old_one(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    first = profile.up(**arguments)["full_name"]
    other = Driven(configured(CertificateProvider))
    other.up(**key_arguments(), type="IOS_DISTRIBUTION")

    second = profile.up(**{**arguments, "certificate_ids": [other.id]})["full_name"]

    assert profile.steps == ["create", "replace"]
    assert first != second
    assert [each["name"] for each in profiles(world)] == [second]


def test_changed_capabilities_make_another_profile(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    profile.up(**arguments)
    wanted: dict[str, Any] = {"PUSH_NOTIFICATIONS": {}}

    Driven(configured(BundleIdCapabilitiesProvider)).up(bundle_id=arguments["bundle_id"], capabilities=wanted)
    profile.up(**arguments, capabilities=wanted)

    world.clock.sleep(10)
    assert profile.steps == ["create", "replace"]
    assert [(each["id"], each["profileState"]) for each in profiles(world)] == [(profile.id, "ACTIVE")]


def test_a_profile_that_became_invalid_is_found_by_refresh_and_healed_by_up(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    profile.up(**arguments)
    world.clock.sleep(1)
    by_hand = Driven(configured(BundleIdCapabilitiesProvider))
    by_hand.up(bundle_id=arguments["bundle_id"], capabilities={"SIRIKIT": {}})
    world.clock.sleep(1)

    assert profile.refresh()
    assert profile.outputs["profile_state"] == "INVALID"
    profile.up(**arguments)

    assert profile.outputs["full_name"].endswith(" 2")
    assert [(each["id"], each["profileState"]) for each in profiles(world)] == [(profile.id, "ACTIVE")]


def test_a_deleted_profile_is_made_again(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    profile.up(**arguments)
    Caller(world)("DELETE", f"/v1/profiles/{profile.id}")

    assert not profile.refresh()
    profile.up(**arguments)

    assert [each["id"] for each in profiles(world)] == [profile.id]


def test_a_profile_is_renewed_together_with_its_certificate(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    profile.up(**arguments)
    world.clock.sleep(336 * DAY)
    renewed = Driven(configured(CertificateProvider))
    renewed.up(**key_arguments())

    for _ in range(2):
        profile.up(**{**arguments, "certificate_ids": [renewed.id]})

    assert profile.steps == ["create", "replace", "same"]


def test_a_zombie_is_gone_for_refresh_and_its_name_gives_way_to_the_next(
    world: World, arguments: dict[str, Any], profile: Driven
) -> None:
    profile.up(**arguments)
    control(world, "POST", "/appstore/zombies", {"profile": profile.id})

    assert not profile.refresh()
    profile.up(**arguments)

    assert profile.outputs["full_name"].endswith(" 2")
    assert [each["id"] for each in profiles(world) if each["visible"]] == [profile.id]


def test_nothing_is_called_as_long_as_nothing_changes(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    profile.up(**arguments)
    before = calls(world)

    profile.up(**arguments)

    assert profile.steps == ["create", "same"]
    assert calls(world) == before


def test_a_name_that_leaves_no_room_is_refused_at_preview(arguments: dict[str, Any], profile: Driven) -> None:
    with pytest.raises(Refused, match="has 51 characters"):
        profile.up(**{**arguments, "name": "x" * 51})
