"""Evidence from the testers' phones, looked for until it is complete."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.appstore.build import BuildProvider
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.installations import InstallationsProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.world import World
from tests.appstore.entry import ADA, build_arguments, calls, make_app, make_group
from tests.driver import Driven
from tests.inprocess import control

BUILD = {"short_version": "1.0.0", "version": "0"}


@pytest.fixture
def arguments(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> dict[str, Any]:
    app = make_app(world, configured)
    group = make_group(world, configured, app)
    build = Driven(configured(BuildProvider))
    build.up(**build_arguments(tmp_path, app))
    processed = Driven(configured(ProcessedBuildProvider))
    processed.up(app_id=app, upload_id=build.id, **BUILD)
    Driven(configured(BuildDistributionProvider)).up(build_id=processed.id, group_id=group.id)
    return {"build_id": processed.id, "group_id": group.id, "testers": [ADA], **BUILD}


@pytest.fixture
def installations(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(InstallationsProvider))


def install(world: World, **device: str) -> None:
    control(world, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "0", **device})


def test_each_up_looks_again_until_everybody_has_the_build(
    world: World, arguments: dict[str, Any], installations: Driven
) -> None:
    assert installations.up(**arguments)["missing"] == [ADA]
    install(world, model="iPhone16,2", osVersion="26.1")

    outputs = installations.up(**arguments)
    before = len(calls(world))
    installations.up(**arguments)

    assert (outputs["missing"], outputs["devices"]) == ([], {ADA: ["iPhone16,2, iOS 26.1"]})
    assert installations.steps == ["create", "update", "same"]
    assert len(calls(world)) == before


def test_another_build_on_the_phone_does_not_count(
    world: World, arguments: dict[str, Any], installations: Driven
) -> None:
    install(world)
    (tester,) = world.store.all("appstore.betaTesters")
    tester["devices"][0]["appBuildVersion"] = "1.0.0 (7)"
    world.store.put("appstore.betaTesters", tester["id"], tester)

    assert installations.up(**arguments)["missing"] == [ADA]


def test_crashes_are_counted(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    install(world)
    control(world, "POST", f"/appstore/testers/{ADA}/sessions", {"sessions": 3, "crashes": 1})

    outputs = installations.up(**arguments)

    assert (outputs["sessions"], outputs["crashes"]) == (3, 1)
