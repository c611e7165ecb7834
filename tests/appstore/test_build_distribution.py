"""A build that is given to testers, who are notified once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import ADA, build_arguments, calls, make_app, make_group
from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.build_distribution import AVAILABLE_STATES, BuildDistributionProvider
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from providers.errors import ProviderError
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]


@pytest.fixture
def arguments(world: World, configured: Configured, tmp_path: Path) -> dict[str, Any]:
    """The arguments for a processed build and a group."""
    app = make_app(world, configured)
    group = make_group(world, configured, app)
    build = Driven(configured(BuildUploadProvider))
    build.up(**build_arguments(tmp_path, app))
    processed = Driven(configured(ProcessedBuildProvider))
    processed.up(app_id=app, upload_id=build.id, short_version="1.0.0", version="0")
    return {"build_id": processed.id, "group_id": group.id, "whats_new": {"en-US": "1.0.0 (v0): sign up."}}


@pytest.fixture
def next_build(world: World, configured: Configured, tmp_path: Path, arguments: dict[str, Any]) -> str:
    """The id of another processed build of the same app."""
    (app,) = (item["id"] for item in control(world, "GET", "/appstore/state")["apps"])
    build = Driven(configured(BuildUploadProvider))
    build.up(**build_arguments(tmp_path, app, build="1"))
    processed = Driven(configured(ProcessedBuildProvider))
    processed.up(app_id=app, upload_id=build.id, short_version="1.0.0", version="1")
    return processed.id


@pytest.fixture
def distribution(configured: Configured) -> Driven:
    return Driven(configured(BuildDistributionProvider))


LIVE = Delays(membership_shown=60, testing_shown=120)
"""As reported of Apple."""


def test_testers_can_install(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    outputs = distribution.up(**arguments)

    assert outputs["internal_state"] == "READY_FOR_BETA_TESTING"
    control(world, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "0"})


def test_nobody_accepted(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    """The build stays READY_FOR_BETA_TESTING, so there is nothing to wait for."""
    world.delays = LIVE
    began = world.clock.now()

    outputs = distribution.up(**arguments)

    assert outputs["internal_state"] == "READY_FOR_BETA_TESTING"
    assert world.clock.now() - began < 120


def test_state_with_active_tester(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    """Apple shows it about two minutes after somebody accepts; the next refresh sees it."""
    world.delays = LIVE
    distribution.up(**arguments)
    control(world, "POST", f"/appstore/testers/{ADA}/accept")

    distribution.refresh()
    assert distribution.outputs["internal_state"] == "READY_FOR_BETA_TESTING"
    world.clock.sleep(120)
    distribution.refresh()
    assert distribution.outputs["internal_state"] == "IN_BETA_TESTING"


def test_invited_counts_as_active(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    """Public records disagree about a group with one invited tester."""
    control(world, "POST", "/appstore/settings", {"invited_are_active": True})
    distribution.up(**arguments)
    world.clock.sleep(1)

    distribution.refresh()

    assert distribution.outputs["internal_state"] == "IN_BETA_TESTING"


def test_texts_before_notification(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    distribution.up(**{**arguments, "whats_new": {"en-US": "Sign up.", "de-DE": "Bitte anmelden."}})

    writes = [call.split("/")[2] for call in calls(world) if call.startswith(("POST", "PATCH"))][-4:]
    assert writes == ["betaBuildLocalizations", "betaBuildLocalizations", "buildBetaDetails", "builds"]


def test_changed_text(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    distribution.up(**arguments)
    before = len(calls(world))

    distribution.up(**{**arguments, "whats_new": {"en-US": "Sign up, and add a day."}})

    writes = [call.split("/")[2] for call in calls(world)[before:] if not call.startswith("GET")]
    assert writes == ["betaBuildLocalizations"]


def test_next_build(world: World, arguments: dict[str, Any], distribution: Driven, next_build: str) -> None:
    """The group gets the new build before it loses the old one; the resource stays the same."""
    distribution.up(**arguments)

    distribution.up(**{**arguments, "build_id": next_build})

    assert distribution.steps == ["create", "update"]
    control(world, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "1"})
    links = [call for call in calls(world) if "relationships/betaGroups" in call and not call.startswith("GET")]
    assert [call.split()[0] for call in links] == ["POST", "POST", "DELETE"]


def test_refresh(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    distribution.up(**arguments)
    (text,) = world.store.all("appstore.betaBuildLocalizations")
    world.store.put(
        "appstore.betaBuildLocalizations", text["id"], text | {"attributes": {"locale": "en-US", "whatsNew": "?"}}
    )

    distribution.refresh()

    assert distribution.outputs["whats_new"] == {"en-US": "?"}
    assert distribution.diff(**arguments).changes


def test_lost_response(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    world.faults.arm(Fault("lose_after", service="appstore", method="POST", path="relationships/betaGroups"))

    assert distribution.up(**arguments)["internal_state"] in AVAILABLE_STATES


def test_destroy(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    distribution.up(**arguments)

    distribution.destroy()

    (build,) = control(world, "GET", "/appstore/state")["builds"]
    world.clock.sleep(60)
    (detail,) = control(world, "GET", "/appstore/state")["buildBetaDetails"]
    assert (build["processingState"], detail["internalBuildState"]) == ("VALID", "READY_FOR_BETA_TESTING")


@pytest.fixture
def automatic(world: World, configured: Configured, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The arguments for a processed build and a group with access to all builds, created before or after the upload."""

    def make(*, group_first: bool) -> dict[str, Any]:
        app = make_app(world, configured)
        group = Driven(configured(BetaGroupProvider))
        build = Driven(configured(BuildUploadProvider))
        steps = [
            lambda: group.up(app_id=app, name="Internal Testers", has_access_to_all_builds=True),
            lambda: build.up(**build_arguments(tmp_path, app)),
        ]
        for step in steps if group_first else reversed(steps):
            step()
            world.clock.sleep(1)
        processed = Driven(configured(ProcessedBuildProvider))
        processed.up(app_id=app, upload_id=build.id, short_version="1.0.0", version="0")
        return {"build_id": processed.id, "group_id": group.id, "whats_new": {"en-US": "Sign up."}}

    return make


def test_automatic_group_gets_no_call(
    world: World, automatic: Callable[..., dict[str, Any]], distribution: Driven
) -> None:
    arguments = automatic(group_first=True)

    outputs = distribution.up(**arguments, automatic=True)
    assert distribution.refresh()
    distribution.destroy()

    assert outputs["internal_state"] in AVAILABLE_STATES
    assert not any("relationships/betaGroups" in call for call in calls(world))


def test_automatic_group_refusal(automatic: Callable[..., dict[str, Any]], distribution: Driven) -> None:
    """Apple's refusal to add a build to such a group is a success."""
    outputs = distribution.up(**automatic(group_first=True), automatic=False)

    assert outputs["internal_state"] in AVAILABLE_STATES


def test_build_older_than_group(automatic: Callable[..., dict[str, Any]], distribution: Driven) -> None:
    """It is refused at once: waiting would not help."""
    arguments = automatic(group_first=False)

    with pytest.raises(ProviderError, match="is older than tester group"):
        distribution.up(**arguments, automatic=True)


def test_text_created_by_apple(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    """Apple creates the entry of the primary language itself, perhaps meanwhile."""
    nothing = {"data": [], "links": {"self": "x"}}
    world.faults.arm(Fault("refuse", service="appstore", path="betaBuildLocalizations", status=200, body=nothing))

    distribution.up(**arguments)

    (text,) = world.store.all("appstore.betaBuildLocalizations")
    assert text["attributes"] == {"locale": "en-US", "whatsNew": "1.0.0 (v0): sign up."}


def test_expired_build(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    distribution.up(**arguments)
    world.clock.sleep(91 * 86400)

    with pytest.raises(ProviderError, match="is EXPIRED: testers cannot start a build later than 90 days"):
        distribution.up(**{**arguments, "whats_new": {"en-US": "Again."}})


@pytest.mark.parametrize("notify", [True, False])
def test_notification(world: World, arguments: dict[str, Any], distribution: Driven, notify: bool) -> None:
    distribution.up(**arguments, notify=notify)

    (detail,) = control(world, "GET", "/appstore/state")["buildBetaDetails"]
    assert detail["autoNotifyEnabled"] is notify


@pytest.mark.parametrize("fault", ["refuse", "refuse_after", "lose_before", "lose_after", "hang"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_interrupted_writes(
    world: World, arguments: dict[str, Any], distribution: Driven, method: str, fault: Kind
) -> None:
    """Whatever happens to a write, the next up ends in the same state."""
    texts = {"en-US": "Sign up.", "de-DE": "Bitte anmelden."}
    world.faults.arm(Fault(fault, service="appstore", method=method, times=2))

    distribution.up(**{**arguments, "whats_new": texts})

    written = [localization["attributes"] for localization in world.store.all("appstore.betaBuildLocalizations")]
    assert {localization["locale"]: localization["whatsNew"] for localization in written} == texts
    assert len(written) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (" ", "is empty"),
        ("a" * 4001, "4001 characters"),
        ("1 < 2", "contains <, which Apple refuses"),
        ("\N{ROCKET} go", "contains \N{ROCKET}"),
    ],
)
def test_invalid_texts(distribution: Driven, text: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        distribution.up(build_id="b", group_id="g", whats_new={"en-US": text})
