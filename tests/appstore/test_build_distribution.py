"""A build in the testers' hands, told about once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.appstore.build import BuildProvider
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.appstore.entry import ADA, build_arguments, calls, make_app, make_group
from tests.driver import Driven, Refused
from tests.inprocess import control

Configured = Callable[[Any], Any]


@pytest.fixture
def arguments(world: World, configured: Configured, tmp_path: Path) -> dict[str, Any]:
    """Of the distribution of a processed build to a group."""
    app = make_app(world, configured)
    group = make_group(world, configured, app)
    build = Driven(configured(BuildProvider))
    build.up(**build_arguments(tmp_path, app))
    processed = Driven(configured(ProcessedBuildProvider))
    processed.up(app_id=app, upload_id=build.id, short_version="1.0.0", version="0")
    return {"build_id": processed.id, "group_id": group.id, "whats_new": {"en-US": "1.0.0 (v0): sign up."}}


@pytest.fixture
def distribution(configured: Configured) -> Driven:
    return Driven(configured(BuildDistributionProvider))


def test_testers_can_install_what_they_were_given(
    world: World, arguments: dict[str, Any], distribution: Driven
) -> None:
    outputs = distribution.up(**arguments)

    assert outputs["internal_state"] == "IN_BETA_TESTING"
    control(world, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "0"})


def test_the_texts_are_there_before_the_testers_are_told(
    world: World, arguments: dict[str, Any], distribution: Driven
) -> None:
    distribution.up(**{**arguments, "whats_new": {"en-US": "Sign up.", "de-DE": "Bitte anmelden."}})

    writes = [call.split("/")[2] for call in calls(world) if call.startswith(("POST", "PATCH"))][-4:]
    assert writes == ["betaBuildLocalizations", "betaBuildLocalizations", "buildBetaDetails", "builds"]


def test_a_changed_text_touches_nothing_else(world: World, arguments: dict[str, Any], distribution: Driven) -> None:
    distribution.up(**arguments)
    before = len(calls(world))

    distribution.up(**{**arguments, "whats_new": {"en-US": "Sign up, and add a day."}})

    writes = [call.split("/")[2] for call in calls(world)[before:] if not call.startswith("GET")]
    assert writes == ["betaBuildLocalizations"]


def test_refresh_shows_a_text_that_somebody_changed(
    world: World, arguments: dict[str, Any], distribution: Driven
) -> None:
    distribution.up(**arguments)
    (text,) = world.store.all("appstore.betaBuildLocalizations")
    world.store.put(
        "appstore.betaBuildLocalizations", text["id"], text | {"attributes": {"locale": "en-US", "whatsNew": "?"}}
    )

    distribution.refresh()

    assert distribution.outputs["whats_new"] == {"en-US": "?"}
    assert distribution.diff(**arguments).changes


def test_a_lost_answer_does_not_give_the_build_twice(
    world: World, arguments: dict[str, Any], distribution: Driven
) -> None:
    world.faults.arm(Fault("lose_after", service="appstore", method="POST", path="relationships/betaGroups"))

    assert distribution.up(**arguments)["internal_state"] == "IN_BETA_TESTING"


def test_destroy_takes_the_build_from_the_testers(
    world: World, arguments: dict[str, Any], distribution: Driven
) -> None:
    distribution.up(**arguments)

    distribution.destroy()

    (build,) = control(world, "GET", "/appstore/state")["builds"]
    world.clock.sleep(60)
    (detail,) = control(world, "GET", "/appstore/state")["buildBetaDetails"]
    assert (build["processingState"], detail["internalBuildState"]) == ("VALID", "READY_FOR_BETA_TESTING")


@pytest.mark.parametrize(
    ("text", "problem"),
    [(" ", "is empty"), ("a" * 4001, "4001 characters"), ("1 < 2", "'<' or an emoji"), ("\N{ROCKET} go", "emoji")],
)
def test_texts_that_apple_refuses_are_refused_at_preview(distribution: Driven, text: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        distribution.up(build_id="b", group_id="g", whats_new={"en-US": text})
