"""Preflight judges a build number as `up` does: it is free, used up, or not needed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import build_arguments
from harness.driver import Driven
from preflight.finding import Verdict, blocked, ok
from providers.appstore.build_upload import BuildUploadProvider
from rehearsal.cloud.world import World
from tests.preflight.conftest import Preflight
from tests.preflight.test_preflight import built

ROW = "Build number"
USED = "1.0.0 already has 0, and Apple accepts higher numbers only"


def test_number_of_no_build(world: World, preflight: Preflight) -> None:
    """With an empty ipa, `up` uploads nothing."""
    preflight.values |= {"archive": "", "ipa": ""}
    (free,) = preflight.row(ROW)
    built(world, preflight)
    (used,) = preflight.row(ROW)

    assert free == ok("1.0.0 (0) is free")
    assert (used.verdict, used.text.partition(";")[0]) == (Verdict.WARNING, "`up` uploads no build")
    assert used.remedy == "`make next-build` sets 0.1; build the IPA with it"


@pytest.fixture
def upload(configured: Callable[[Any], Any], world: World, preflight: Preflight) -> Driven:
    """The IPA of the stack is at Apple, and not yet in the state."""
    (app,) = world.store.all("appstore.apps")
    build = Driven(configured(BuildUploadProvider))
    build.up(**build_arguments(preflight.folder, app["id"]))
    preflight.values |= {"archive": "", "ipa": Path(build.inputs["ipa"]).name}
    return build


def test_number_of_uploaded_ipa(upload: Driven, preflight: Preflight) -> None:
    """`up` adopts the upload of a run that died; another IPA needs another number."""
    adopted = preflight.row(ROW)
    Path(upload.inputs["ipa"]).write_bytes(b"another")

    (refused,) = preflight.row(ROW)

    assert adopted == [ok(f"1.0.0 (0) is uploaded already, from {preflight.values['ipa']}: `up` adopts it")]
    assert (refused.verdict, refused.text) == (Verdict.BLOCKED, USED)


def test_number_of_archived_ipa(upload: Driven, preflight: Preflight) -> None:
    """The IPA is adopted only if `up` does not archive another one first."""
    adopted = preflight.row(ROW)
    preflight.values |= {"archive": "xcodebuild", "imageBuild": {"command": "make image"}}

    preflight.resource_ids = {"command:local:Command": frozenset({"image"})}
    (refused,) = preflight.row(ROW)
    preflight.resource_ids = {"command:local:Command": frozenset({"image", "archive"})}

    assert (refused.verdict, refused.text) == (Verdict.BLOCKED, USED)
    assert preflight.row(ROW) == adopted


def test_number_of_own_upload(world: World, upload: Driven, preflight: Preflight) -> None:
    """What Apple says of it decides, whether or not its build exists yet."""
    preflight.build, preflight.resource_ids = upload.inputs, {"appstore:BuildUpload": frozenset({upload.id})}
    preflight.values["ipa"] = "none.ipa"
    assert preflight.row(ROW) == [ok("this stack has uploaded 1.0.0 (0)")]

    record = world.store.get("appstore.buildUploads", upload.id) or {}
    world.store.put("appstore.buildUploads", upload.id, {**record, "committed_at": 0, "errors": [{"code": "90022"}]})
    assert preflight.row(ROW) == [
        blocked("Apple has rejected 1.0.0 (0)", "`make next-build` sets 0.1; build the IPA with it")
    ]


def test_number_below_that_of_others(world: World, upload: Driven, preflight: Preflight) -> None:
    """An earlier upload of this stack does not count for the next one."""
    preflight.build = {**upload.inputs, "short_version": "0.9.0"}
    preflight.values["ipa"] = "none.ipa"

    (finding,) = preflight.row(ROW)

    assert (finding.verdict, finding.text) == (Verdict.BLOCKED, USED)
