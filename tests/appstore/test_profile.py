"""One valid profile of the stack's certificate; it is replaced when it becomes unusable."""

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
    """The arguments of a profile for a new bundle ID."""
    bundle_id, certificate = Driven(configured(BundleIdProvider)), Driven(configured(CertificateProvider))
    bundle_id.up(identifier=BUNDLE_ID, name="SolOS")
    certificate.up(**key_arguments())
    return {"name": "SolOS App Store", "bundle_id": bundle_id.id, "certificate_ids": [certificate.id]}


@pytest.fixture
def profile(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(ProfileProvider))


def test_created(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    outputs = profile.up(**arguments)

    (made,) = profiles(world)
    assert (made["id"], made["name"], made["uuid"]) == (profile.id, outputs["full_name"], outputs["uuid"])
    assert outputs["full_name"].startswith("SolOS App Store ")
    assert outputs["team_id"] == "SLLABS4TM1"


def test_content_is_secret() -> None:
    assert marked(ProfileProvider.State, SECRET) == {"content"}


def test_bundle_id_too_new(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    profile.up(**arguments)

    assert calls(world, method="POST").count("POST /v1/profiles") == 2


@pytest.mark.parametrize("kind", ["lose_before", "lose_after", "refuse_after"])
def test_lost_response(world: World, arguments: dict[str, Any], profile: Driven, kind: Any) -> None:
    """The profile is found by its name."""
    world.faults.arm(Fault(kind, service="appstore", method="POST", path="^/v1/profiles$", skip=1))

    profile.up(**arguments)

    assert [item["id"] for item in profiles(world)] == [profile.id]


def test_other_certificate(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    """A new profile is created, then the old one is deleted."""
    first = profile.up(**arguments)["full_name"]
    other = Driven(configured(CertificateProvider))
    other.up(**key_arguments(), type="IOS_DISTRIBUTION")

    second = profile.up(**{**arguments, "certificate_ids": [other.id]})["full_name"]

    assert profile.steps == ["create", "replace"]
    assert first != second
    assert [item["name"] for item in profiles(world)] == [second]


def test_changed_capabilities(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    profile.up(**arguments)
    wanted: dict[str, Any] = {"PUSH_NOTIFICATIONS": {}}

    Driven(configured(BundleIdCapabilitiesProvider)).up(bundle_id=arguments["bundle_id"], capabilities=wanted)
    profile.up(**arguments, capabilities=wanted)

    world.clock.sleep(10)
    assert profile.steps == ["create", "replace"]
    assert [(item["id"], item["profileState"]) for item in profiles(world)] == [(profile.id, "ACTIVE")]


def test_invalid_profile_replaced(
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
    assert [(item["id"], item["profileState"]) for item in profiles(world)] == [(profile.id, "ACTIVE")]


def test_deleted_profile(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    profile.up(**arguments)
    Caller(world)("DELETE", f"/v1/profiles/{profile.id}")

    assert not profile.refresh()
    profile.up(**arguments)

    assert [item["id"] for item in profiles(world)] == [profile.id]


def test_renewed_with_certificate(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    profile.up(**arguments)
    world.clock.sleep(336 * DAY)
    renewed = Driven(configured(CertificateProvider))
    renewed.up(**key_arguments())

    for _ in range(2):
        profile.up(**{**arguments, "certificate_ids": [renewed.id]})

    assert profile.steps == ["create", "replace", "same"]


def test_revoked_certificate(
    world: World, arguments: dict[str, Any], profile: Driven, configured: Callable[[Any], Any]
) -> None:
    """Somebody revokes the certificate: Apple makes the profile INVALID, and the next `up` replaces both."""
    profile.up(**arguments)
    Caller(world)("DELETE", f"/v1/certificates/{arguments['certificate_ids'][0]}")
    world.clock.sleep(5)
    again = Driven(configured(CertificateProvider))
    again.up(**key_arguments())

    assert profile.refresh()
    assert profile.outputs["profile_state"] == "INVALID"
    profile.up(**{**arguments, "certificate_ids": [again.id]})

    assert [(item["id"], item["profileState"]) for item in profiles(world)] == [(profile.id, "ACTIVE")]


def test_name_of_hidden_profile(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    """A profile that Apple no longer shows can still use up its name."""
    profile.up(**arguments)
    control(world, "POST", "/appstore/zombies", {"profile": profile.id})

    assert not profile.refresh()
    profile.up(**arguments)

    assert profile.outputs["full_name"].endswith(" 2")
    assert [item["id"] for item in profiles(world) if item["visible"]] == [profile.id]


def test_no_calls_without_changes(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    profile.up(**arguments)
    before = calls(world)

    profile.up(**arguments)

    assert profile.steps == ["create", "same"]
    assert calls(world) == before


def test_long_name(world: World, arguments: dict[str, Any], profile: Driven) -> None:
    """Apple allows 50 characters: the first part is shortened, also for the renewed profile."""
    named = {**arguments, "name": "An App Store profile with quite a long name, really"[:50]}

    first = profile.up(**named)["full_name"]
    world.clock.sleep(336 * DAY)
    profile.up(**named)

    assert len(first) == 50
    assert first.startswith("An App Store profile with quite a long na ")
    assert profile.steps == ["create", "replace"]
    assert profile.outputs["full_name"].endswith(" 2")
    assert len(profile.outputs["full_name"]) <= 50


def test_name_too_long(arguments: dict[str, Any], profile: Driven) -> None:
    with pytest.raises(Refused, match="has 51 characters"):
        profile.up(**{**arguments, "name": "x" * 51})
