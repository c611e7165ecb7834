"""Installations on the testers' devices, read until they are complete."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import ADA, build_arguments, calls, make_app, make_group
from harness.driver import Driven
from harness.inprocess import control
from providers import engine
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.installations import InstallationsProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.world import World

BUILD = {"short_version": "1.0.0", "version": "0"}


@pytest.fixture
def arguments(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> dict[str, Any]:
    app = make_app(world, configured)
    group = make_group(world, configured, app)
    build = Driven(configured(BuildUploadProvider))
    build.up(**build_arguments(tmp_path, app))
    processed = Driven(configured(ProcessedBuildProvider))
    processed.up(app_id=app, upload_id=build.id, **BUILD)
    Driven(configured(BuildDistributionProvider)).up(build_id=processed.id, group_id=group.id)
    return {"app_id": app, "build_id": processed.id, "group_id": group.id, "testers": [ADA], **BUILD}


@pytest.fixture
def installations(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(InstallationsProvider))


def install(world: World, **device: str) -> None:
    control(world, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "0", **device})


def use(world: World, *, sessions: int = 3, crashes: int = 0) -> None:
    control(world, "POST", f"/appstore/testers/{ADA}/sessions", {"sessions": sessions, "crashes": crashes})
    world.clock.sleep(world.delays.usage_counted)


def test_time_is_no_change(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    """An unchanged `up` makes no call, whoever is missing; a refresh looks again."""
    world.delays = Delays(usage_counted=6 * 3600)
    assert installations.up(**arguments)["missing"] == [ADA]
    install(world, model="iPhone16,2", osVersion="26.1")
    use(world)
    before = len(calls(world))
    installations.up(**arguments)
    assert len(calls(world)) == before

    installations.refresh()

    assert installations.up(**arguments)["missing"] == []
    assert installations.outputs["devices"] == {ADA: ["iPhone16,2, iOS 26.1: 1.0.0 (0)"]}
    assert (installations.outputs["sessions"], installations.outputs["crashes"]) == (3, 0)
    assert installations.steps == ["create", "same", "read", "same"]


def test_declaration_asks_again(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    installations.up(**arguments)
    install(world)

    outputs = installations.up(**arguments, asked_by="Mara")
    installations.up(**arguments, asked_by="Mara")

    assert outputs["missing"] == []
    assert installations.steps == ["create", "update", "same"]


def test_due_evidence_asked_again(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    """From the day on which the waiver of it ends, by each `up`, until it is there."""
    tomorrow = str((datetime.fromtimestamp(world.clock.now(), UTC) + timedelta(1)).date())
    for _ in range(2):
        installations.up(**arguments, due=tomorrow)
    world.clock.sleep(24 * 3600)
    installations.up(**arguments, due=tomorrow)
    install(world)
    use(world)

    for _ in range(2):
        installations.up(**arguments, due=tomorrow)

    assert installations.outputs["missing"] == []
    assert installations.steps == ["create", "same", "update", "update", "same"]


def test_calls_of_a_look(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    before = len(calls(world))

    installations.up(**{**arguments, "testers": [f"tester{number}@sollabs.example" for number in range(100)]})

    assert len(calls(world)) - before == 4


def test_refresh(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    install(world)
    use(world)
    installations.up(**arguments)
    use(world, crashes=2)

    installations.refresh()

    assert (installations.outputs["sessions"], installations.outputs["crashes"]) == (6, 2)


def test_missing_testers_shown(
    world: World, arguments: dict[str, Any], installations: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the build that they have instead."""
    notes: list[str] = []
    monkeypatch.setattr(engine, "note", notes.append)
    install(world, model="iPhone16,2")
    (tester,) = world.store.all("appstore.betaTesters")
    tester["devices"][0]["appBuildVersion"] = "0.9.0 (3)"
    world.store.put("appstore.betaTesters", tester["id"], tester)

    installations.up(**{**arguments, "testers": [ADA, "jun@sollabs.example"]})

    assert notes == [
        f"not installed yet by {ADA} (who has iPhone16,2, iOS 26.1: 0.9.0 (3)); jun@sollabs.example (who is not in the group)"
    ]


def test_other_build_ignored(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    install(world)
    (tester,) = world.store.all("appstore.betaTesters")
    tester["devices"][0]["appBuildVersion"] = "1.0.0 (7)"
    world.store.put("appstore.betaTesters", tester["id"], tester)

    assert installations.up(**arguments)["missing"] == [ADA]


@pytest.mark.parametrize(
    ("seen", "installed"),
    [
        ("1.0.0 (0)", True),
        ("1.0 (0.0)", True),
        ("1.0.0(0)", True),
        ("1.0.0-0", True),
        ("0 (1.0.0)", True),
        ("1.0.0 (1)", False),
        ("1.0.1 (0)", False),
        ("1.0.0", True),
        ("v0", True),
        ("", True),
    ],
)
def test_format_of_build(
    world: World, arguments: dict[str, Any], installations: Driven, seen: str, installed: bool
) -> None:
    """Apple does not document it. Where it does not say which build, the tester's state INSTALLED counts."""
    install(world)
    (tester,) = world.store.all("appstore.betaTesters")
    tester["devices"][0]["appBuildVersion"] = seen
    world.store.put("appstore.betaTesters", tester["id"], tester)

    outputs = installations.up(**arguments)

    assert (outputs["missing"] == []) is installed
    assert not installed or seen in outputs["devices"][ADA][0]


def test_reports_sorted(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    install(world, model="iPhone16,2")
    for kind, comment in (("screenshot", "The day is cut off."), ("crash", "It closed.")):
        control(world, "POST", f"/appstore/testers/{ADA}/feedback", {"kind": kind, "comment": comment})
        world.clock.sleep(60)

    outputs = installations.up(**arguments)

    first, second = outputs["reports"]
    assert (first["kind"], first["by"], first["comment"]) == ("screenshot", ADA, "The day is cut off.")
    assert (second["kind"], second["device"]) == ("crash", "iPhone16,2, iOS 26.1")
    assert first["at"] < second["at"]


def test_crash_report_counted(world: World, arguments: dict[str, Any], installations: Driven) -> None:
    """Before Apple has counted the crash."""
    install(world)
    control(world, "POST", f"/appstore/testers/{ADA}/feedback", {"kind": "crash"})

    outputs = installations.up(**arguments)

    assert (outputs["crashes"], outputs["feedback"], outputs["sessions"]) == (1, 1, 0)
