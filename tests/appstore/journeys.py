"""The journeys of the App Store resources in the fault matrix (`tests/fault_matrix.py`)."""

from dataclasses import replace
from typing import Any

from harness.appstore import ADA, GRACE, become_user, build_arguments, use_small_parts
from providers.appstore.signing_key import SigningKeyProvider
from rehearsal.cloud.world import World
from tests.appstore.apple_side import AppleSide, held
from tests.appstore.signed import Signed, signing_held
from tests.appstore.signing import DAY
from tests.fault_matrix import Journey


def nothing_yet(world: World, settings: dict[str, Any]) -> AppleSide:
    """The account has its users and nothing else. Everything that Apple does takes long enough for one wait."""
    world.delays = replace(
        world.delays, app_record_visible=0.05, upload_processing=0.05, build_visible=0.1, build_processing=0.1
    )
    use_small_parts(world)
    become_user(world, ADA)
    builds = {build: build_arguments(world.files, "", build=build) for build in ("0", "0.1")}
    return AppleSide(settings, world=world, builds=builds)


def in_testing(world: World, settings: dict[str, Any]) -> AppleSide:
    """The testers have a build."""
    testflight = nothing_yet(world, settings)
    testflight.up()
    return testflight


def taken_over(world: World, settings: dict[str, Any]) -> AppleSide:
    """A stack without state has adopted what the testers have."""
    testflight = replace(in_testing(world, settings), resources={})
    testflight.up()
    return testflight


def release(testflight: AppleSide) -> None:
    testflight.up(build="0.1")


def invite(testflight: AppleSide) -> None:
    """An `up` that invites somebody, who accepts, and another `up`."""
    testflight.up(testers=(ADA, GRACE))
    become_user(testflight.world, GRACE)
    testflight.up(testers=(ADA, GRACE))


def only_a_key(world: World, settings: dict[str, Any]) -> Signed:
    """The key is in the state: it makes no call that could fail."""
    signed = Signed(settings)
    signed.do("key", SigningKeyProvider)
    return signed


def about_to_expire(world: World, settings: dict[str, Any]) -> Signed:
    """Certificate and profile are eleven months old."""
    signed = only_a_key(world, settings)
    signed.up()
    world.clock.sleep(336 * DAY)
    return signed


def about_to_expire_and_to_be_revoked(world: World, settings: dict[str, Any]) -> Signed:
    signed = only_a_key(world, settings)
    signed.revoke = True
    signed.up()
    world.clock.sleep(336 * DAY)
    return signed


def change_capabilities(signed: Signed) -> None:
    signed.up(capabilities=("ASSOCIATED_DOMAINS", "SIRIKIT"))


def signed_for(world: World, settings: dict[str, Any]) -> Signed:
    signed = only_a_key(world, settings)
    signed.up()
    return signed


JOURNEYS = (
    Journey("giving a first build to the testers", nothing_yet, AppleSide.up, held),
    Journey("giving them a new build", in_testing, release, held),
    Journey("inviting somebody to the team", in_testing, invite, held),
    Journey("destroying the Apple side", in_testing, AppleSide.destroy, held),
    Journey("releasing what was taken over", taken_over, AppleSide.destroy, held),
    Journey("getting a certificate and a profile", only_a_key, Signed.up, signing_held),
    Journey("renewing them before they expire", about_to_expire, Signed.up, signing_held),
    Journey("renewing them and revoking the old", about_to_expire_and_to_be_revoked, Signed.up, signing_held),
    Journey("changing the capabilities", signed_for, change_capabilities, signing_held),
    Journey("destroying what builds are signed with", signed_for, Signed.destroy, signing_held),
)
