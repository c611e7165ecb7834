"""The rows of TestFlight: the testers have the build, and it runs on their devices.

All of them block: testers with a working build are the goal of a launch.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from checklist.backend import UP
from checklist.ios_build import apple_page, current_build, uploaded_build
from checklist.known import Known, Shape
from checklist.row import Failed, Missing, Phase, Waiting, need, row

AVAILABLE = {
    "READY_FOR_BETA_TESTING": "READY_FOR_BETA_TESTING when it was released, before a tester accepted the invitation",
    "IN_BETA_TESTING": "IN_BETA_TESTING",
}
"""The states in which testers can install the build, as evidence."""


class BetaGroup(Shape, frozen=True, kw_only=True):
    kind = "appstore:BetaGroup"

    name: str
    internal: bool = True


class BetaTesters(Shape, frozen=True, kw_only=True):
    kind = "appstore:BetaTesters"

    testers: Sequence[Mapping[str, str]]
    """Each with `email`, and `first_name` and `last_name` where they are known."""
    invited: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Invitations to the team that are not accepted yet, by address."""


class BuildDistribution(Shape, frozen=True, kw_only=True):
    kind = "appstore:BuildDistribution"

    build_id: str
    internal_state: str
    whats_new: Mapping[str, str] = msgspec.field(default_factory=dict)


class Installations(Shape, frozen=True, kw_only=True):
    kind = "appstore:Installations"

    build_id: str
    devices: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    """The devices that have the build, by address of the tester."""
    missing: Sequence[str] = ()
    """Addresses of testers who have not installed it."""
    sessions: int = 0
    crashes: int = 0
    seen_at: str = ""


AboutBuild = TypeVar("AboutBuild", BuildDistribution, Installations)


def _of_current_build(known: Known, shape: type[AboutBuild]) -> AboutBuild:
    """The resource, if it is about the build that is uploaded. Raises Missing."""
    build = uploaded_build(known)
    found, current = need(known, shape), current_build(known)
    if found.build_id != current.build_id:
        raise Missing(f"this is known of an earlier build than {build.name} only", remedy=UP)
    return found


@row(
    "group",
    Phase.TESTFLIGHT,
    "Group of internal testers",
    absent="the group does not exist yet",
    remedy=UP,
    link=apple_page("/testflight"),
)
def group(known: Known) -> str:
    """The group that gets the build."""
    found = need(known, BetaGroup)
    return f"{found.name} ({'internal' if found.internal else 'external'}), {found.id}"


@row(
    "testers",
    Phase.TESTFLIGHT,
    "Testers in the group",
    absent="no testers are in the group yet",
    remedy=UP,
    link=apple_page("/testflight"),
)
def testers(known: Known) -> str:
    """All are in the group, and no invitation is open."""
    found = need(known, BetaTesters)
    if not found.testers:
        raise Missing("the group has no testers", remedy="add them to `testers` and run `pulumi up`")
    if found.invited:
        raise Waiting(
            f"invited to the team, not accepted yet: {', '.join(found.invited)}",
            on="the testers",
            remedy="ask them to accept Apple's e-mail, then run `pulumi up`",
        )
    return ", ".join(tester["email"] for tester in found.testers)


@row(
    "distributed",
    Phase.TESTFLIGHT,
    "Build available to testers",
    absent="the build is not distributed yet",
    remedy=UP,
    link=apple_page("/testflight/ios"),
)
def distributed(known: Known) -> str:
    """Apple offers the build to the group, whether or not anybody has accepted the invitation: `installed` waits for that."""
    distribution = _of_current_build(known, BuildDistribution)
    if distribution.internal_state not in AVAILABLE:
        raise Failed(
            f"the build's internal state is {distribution.internal_state}, not {' or '.join(AVAILABLE)}",
            remedy="look at it in App Store Connect; if it expired, raise `build` and run `pulumi up`",
        )
    state = AVAILABLE[distribution.internal_state]
    return f"{state}; What to Test in {', '.join(sorted(distribution.whats_new))}"


@row(
    "installed",
    Phase.TESTFLIGHT,
    "Installed by every tester",
    absent="nobody has installed the build yet",
    remedy="ask the testers to install it from TestFlight, then run `pulumi up --refresh`",
    link=apple_page("/testflight/ios"),
)
def installed(known: Known) -> str:
    """Apple lists a device with this build for each tester."""
    evidence = _of_current_build(known, Installations)
    if evidence.missing:
        raise Waiting(f"not installed yet by {', '.join(evidence.missing)}", on="the testers")
    if not evidence.devices:
        raise Missing
    return "; ".join(f"{tester}: {', '.join(devices)}" for tester, devices in sorted(evidence.devices.items()))


@row(
    "no-crashes",
    Phase.TESTFLIGHT,
    "No crash of the build",
    absent="Apple has not been asked yet",
    remedy="run `pulumi up --refresh` later: Apple's counts are hours behind",
    link=apple_page("/testflight/crashes"),
)
def no_crashes(known: Known) -> str:
    """Testers have used it, and it did not crash."""
    evidence = _of_current_build(known, Installations)
    if evidence.crashes:
        raise Failed(
            f"{_count(evidence.crashes, 'crash', 'crashes')} in {_count(evidence.sessions, 'session', 'sessions')}",
            remedy="fix the build, raise `build`, and run `pulumi up`",
        )
    if not evidence.sessions:
        raise Waiting("Apple has counted no use of the build yet", on="Apple")
    return f"none in {_count(evidence.sessions, 'session', 'sessions')}, seen {evidence.seen_at}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


ROWS = (group, testers, distributed, installed, no_crashes)
