"""Earlier builds are expired on request, and only those that no other group uses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import build_arguments, calls, make_app, make_group
from harness.driver import Driven
from harness.inprocess import control
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.expired_builds import ExpiredBuildsProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]


@pytest.fixture
def builds(world: World, configured: Configured, tmp_path: Path) -> dict[str, str]:
    """Three builds: their ids, by number; `app` and `group` are those ids."""
    app = make_app(world, configured)
    found = {"app": app, "group": make_group(world, configured, app).id}
    for number in ("0", "0.1", "0.2"):
        upload = Driven(configured(BuildUploadProvider))
        upload.up(**build_arguments(tmp_path, app, build=number))
        build = Driven(configured(ProcessedBuildProvider))
        build.up(app_id=app, upload_id=upload.id, short_version="1.0.0", version=number)
        found[number] = build.outputs["build_id"]
        world.clock.sleep(60)
    return found


def arguments(builds: dict[str, str], current: str) -> dict[str, str]:
    return {"app_id": builds["app"], "group_id": builds["group"], "build_id": builds[current]}


def expired(world: World) -> list[str]:
    state = control(world, "GET", "/appstore/state")
    return sorted(build["version"] for build in state["builds"] if build["expired"])


def test_earlier_builds(world: World, configured: Configured, builds: dict[str, str]) -> None:
    """A later one stays, and so does the current one."""
    expiry = Driven(configured(ExpiredBuildsProvider))

    first = dict(expiry.up(**arguments(builds, "0.1")))
    second = expiry.up(**arguments(builds, "0.2"))
    before = calls(world)
    expiry.up(**arguments(builds, "0.2"))

    assert (first["expired"], second["expired"]) == (["0"], ["0.1"])
    assert expired(world) == ["0", "0.1"]
    assert expiry.steps == ["create", "update", "same"]
    assert calls(world) == before


def test_build_of_another_group(world: World, configured: Configured, builds: dict[str, str]) -> None:
    other = Driven(configured(BetaGroupProvider))
    other.up(app_id=builds["app"], name="Others")
    Driven(configured(BuildDistributionProvider)).up(build_id=builds["0"], group_id=other.id)

    Driven(configured(ExpiredBuildsProvider)).up(**arguments(builds, "0.2"))

    assert expired(world) == ["0.1"]


@pytest.mark.parametrize("kind", ["lose_before", "lose_after"])
def test_lost_response(world: World, configured: Configured, builds: dict[str, str], kind: Any) -> None:
    world.faults.arm(Fault(kind, service="appstore", method="PATCH", path="^/v1/builds/"))

    Driven(configured(ExpiredBuildsProvider)).up(**arguments(builds, "0.2"))

    assert expired(world) == ["0", "0.1"]
