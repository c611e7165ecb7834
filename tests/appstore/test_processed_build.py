"""Waiting for Apple: late records, rejections with codes, export compliance, timeouts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID, build_arguments, calls, make_app, records, uploads
from harness.driver import Driven
from harness.inprocess import control
from providers import engine
from providers.appstore.build_upload import BuildUploadProvider, VersionTaken
from providers.appstore.processed_build import BuildRejected, ProcessedBuildProvider
from providers.errors import ProviderError, TimedOut
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.world import World
from rehearsal.standins import ipa as standin

Configured = Callable[[Any], Any]
Uploaded = Callable[..., dict[str, Any]]


@pytest.fixture
def app(world: World, configured: Configured) -> str:
    return make_app(world, configured)


@pytest.fixture
def uploaded(app: str, configured: Configured, tmp_path: Path) -> Uploaded:
    """Uploads an IPA; returns the arguments of its `ProcessedBuild`."""

    def upload(**changes: Any) -> dict[str, Any]:
        build = Driven(configured(BuildUploadProvider))
        build.up(**build_arguments(tmp_path, app, **changes))
        return {"app_id": app, "upload_id": build.id, "short_version": "1.0.0", "version": "0"}

    return upload


@pytest.fixture
def gate(configured: Configured) -> Driven:
    return Driven(configured(ProcessedBuildProvider))


def test_expiry_date(world: World, uploaded: Uploaded, gate: Driven) -> None:
    outputs = gate.up(**uploaded())

    assert gate.id == outputs["build_id"]
    assert outputs["minimum_os"] == "17.0"
    assert outputs["expires_at"] > outputs["uploaded_at"]


def test_late_build_record(world: World, uploaded: Uploaded, gate: Driven) -> None:
    world.delays = Delays(build_visible=3700, build_processing=300)
    arguments = uploaded()
    before = len(calls(world))

    gate.up(**arguments)

    assert len(calls(world)) - before < 300, "the hour's budget is for the rest of the team, too"


@pytest.mark.parametrize("lag", ["stays AWAITING_UPLOAD", "vanishes"])
def test_upload_record_lags(world: World, uploaded: Uploaded, gate: Driven, lag: str) -> None:
    """The build exists long before its record says so: it is looked for by its numbers."""
    world.delays = Delays(build_processing=300, upload_recorded=1500)
    arguments = uploaded()
    began = world.clock.now()
    if lag == "vanishes":
        world.store.delete("appstore.buildUploads", arguments["upload_id"])

    outputs = gate.up(**arguments)

    assert outputs["build_id"]
    assert world.clock.now() - began < 400


def test_other_version_ignored(world: World, uploaded: Uploaded, gate: Driven) -> None:
    """A build with the same number, of another version."""
    (app,) = world.store.all("appstore.apps")
    train = records(world).new("preReleaseVersions", {"version": "0.9", "platform": "IOS"}, {"app": app["id"]})
    now = world.clock.now()
    dates = {"uploaded_at": now, "visible_at": now, "valid_at": now, "beta_at": now, "outcome": "VALID"}
    other = records(world).new(
        "builds", {"version": "0"}, {"app": app["id"], "preReleaseVersion": train["id"]}, **dates
    )
    arguments = uploaded()
    world.store.delete("appstore.buildUploads", arguments["upload_id"])

    gate.up(**arguments)

    assert gate.id != other["id"]


def test_timeout(world: World, uploaded: Uploaded, gate: Driven) -> None:
    world.delays = Delays(build_visible=3700)
    arguments = uploaded()

    with pytest.raises(
        TimedOut,
        match=r"timed out after 60 s waiting for Apple to process .*; last seen: the upload is COMPLETE, its build",
    ):
        gate.up(**arguments, wait_seconds=60)
    gate.up(**arguments)

    assert calls(world, method="POST").count("POST /v1/buildUploads") == 1


def test_rejected_build(world: World, uploaded: Uploaded, gate: Driven) -> None:
    """The error has each of Apple's codes and what to do."""
    control(world, "POST", "/appstore/reject", {"codes": {"90683": "Missing purpose string.", "90725": "SDK version."}})
    arguments = uploaded()

    with pytest.raises(BuildRejected) as refusal:
        gate.up(**arguments)

    assert "90683 Missing purpose string (add a text" in str(refusal.value)
    assert "90725 SDK version (build it with the Xcode" in str(refusal.value)


def test_rejected_number_used_up(world: World, app: str, configured: Configured, tmp_path: Path) -> None:
    """The errors name the number that is free, and Apple accepts that one."""
    control(world, "POST", "/appstore/reject", {"codes": {"90000": "Apple's own trouble."}})
    build, gate = Driven(configured(BuildUploadProvider)), Driven(configured(ProcessedBuildProvider))
    build.up(**build_arguments(tmp_path, app))
    arguments = {"app_id": app, "short_version": "1.0.0"}
    with pytest.raises(
        BuildRejected, match=r"upload it with build number 0\.1: a rejected upload has used up its number"
    ):
        gate.up(**arguments, upload_id=build.id, version="0")

    assert build.refresh() is False
    with pytest.raises(VersionTaken, match=r"with other content or rejected.*build number 0\.1, which is free"):
        build.up(**build_arguments(tmp_path, app))
    build.up(**build_arguments(tmp_path, app, build="0.1"))
    gate.up(**arguments, upload_id=build.id, version="0.1")

    assert sorted(upload["state"]["state"] for upload in uploads(world)) == ["COMPLETE", "FAILED"]


def test_destroy_keeps_rejected_upload(
    world: World, app: str, configured: Configured, gate: Driven, tmp_path: Path
) -> None:
    """It is the record of the number that it has used up: preflight and `make next-build` read it."""
    control(world, "POST", "/appstore/reject", {"codes": {"90000": "Apple's own trouble."}})
    build = Driven(configured(BuildUploadProvider))
    build.up(**build_arguments(tmp_path, app))
    with pytest.raises(BuildRejected):
        gate.up(app_id=app, upload_id=build.id, short_version="1.0.0", version="0")

    build.destroy()

    assert [upload["state"]["state"] for upload in uploads(world)] == ["FAILED"]


def test_compliance_review(world: World, uploaded: Uploaded, gate: Driven) -> None:
    arguments = uploaded()
    hold(world, "IN_EXPORT_COMPLIANCE_REVIEW", seconds=5400)

    gate.up(**arguments)

    (detail,) = control(world, "GET", "/appstore/state")["buildBetaDetails"]
    assert detail["internalBuildState"] == "READY_FOR_BETA_TESTING"


def test_processing_exception(world: World, uploaded: Uploaded, gate: Driven) -> None:
    arguments = uploaded()
    hold(world, "PROCESSING_EXCEPTION", seconds=5400)

    with pytest.raises(
        BuildRejected, match=r"could not prepare build 0 .*build number 0\.1.*Apple's developer support"
    ):
        gate.up(**arguments)


def hold(world: World, state: str, seconds: float) -> None:
    """Keep the only build in this internal state for some time."""
    (build,) = world.store.all("appstore.builds")
    build["held"] = {"state": state, "until": world.clock.now() + seconds}
    world.store.put("appstore.builds", build["id"], build)


def test_progress(world: World, uploaded: Uploaded, gate: Driven, shown: list[str]) -> None:
    """Each line says what it waits for, and how long that may still take."""
    arguments = uploaded()
    shown.clear()

    gate.up(**arguments)

    assert list(dict.fromkeys(line.replace(gate.id, "0").partition(" (")[0] for line in shown)) == [
        "processing by Apple: the upload is PROCESSING",
        "processing by Apple: the upload is COMPLETE, its build does not exist yet",
        "processing by Apple: build 0 is PROCESSING",
    ]
    assert all(line.endswith(" min left)") for line in shown)


def test_warning_of_apple(world: World, uploaded: Uploaded, gate: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apple accepts an extension with other numbers than the app, and warns: that is shown once."""
    warnings: list[str] = []
    share = standin.nested("PlugIns/Share.appex", f"{BUNDLE_ID}.Share", build="7")
    arguments = uploaded(files=share)
    monkeypatch.setattr(engine, "warn", warnings.append)

    gate.up(**arguments)

    (warning,) = warnings
    assert warning == (
        "Apple accepts build 0 of 1.0.0, and warns: 90473 CFBundleVersion Mismatch. The value of extension 'PlugIns/Share.appex' does "
        "not match that of its containing iOS application (set the same version and build number for all targets)"
    )


def test_invalid_build(world: World, uploaded: Uploaded, gate: Driven) -> None:
    """The error names the next free number."""
    control(world, "POST", "/appstore/settings", {"build_outcome": "INVALID"})
    arguments = uploaded()

    with pytest.raises(BuildRejected, match=r"in state INVALID.*build number 0\.1"):
        gate.up(**arguments)


def test_compliance_answered_once(world: World, uploaded: Uploaded, gate: Driven) -> None:
    arguments = uploaded(without=("ITSAppUsesNonExemptEncryption",))

    gate.up(**arguments, uses_non_exempt_encryption=False)
    gate.up(**arguments, uses_non_exempt_encryption=False)

    assert calls(world, method="PATCH") == [
        f"PATCH /v1/buildUploadFiles/{_file(world)}",
        f"PATCH /v1/builds/{gate.id}",
    ]
    assert gate.steps == ["create", "same"]


@pytest.mark.parametrize("answer", [None, True])
def test_declaration_missing(world: World, uploaded: Uploaded, gate: Driven, answer: bool | None) -> None:
    """Reported at once; the next `up` continues once somebody has given the build a declaration."""
    arguments = uploaded(info={"ITSAppUsesNonExemptEncryption": True}) | {"uses_non_exempt_encryption": answer}
    began = world.clock.now()

    with pytest.raises(ProviderError, match="Apple has no declaration of it; give the build a declaration"):
        gate.up(**arguments)
    assert world.clock.now() - began < 60
    (build,) = world.store.all("appstore.builds")
    control(world, "POST", f"/appstore/builds/{build['id']}/declare")

    assert gate.up(**arguments)["build_id"] == build["id"]


def test_exempt_after_all(world: World, uploaded: Uploaded, gate: Driven) -> None:
    """The answer false counts, whatever the Info.plist says."""
    gate.up(**uploaded(info={"ITSAppUsesNonExemptEncryption": True}), uses_non_exempt_encryption=False)

    assert len(calls(world, method="PATCH")) == 2  # the commit of the upload, and the answer


def test_compliance_unanswered(uploaded: Uploaded, gate: Driven) -> None:
    """The error names the Info.plist key and the argument."""
    arguments = uploaded(without=("ITSAppUsesNonExemptEncryption",))

    with pytest.raises(ProviderError, match=r"ITSAppUsesNonExemptEncryption.*uses_non_exempt_encryption"):
        gate.up(**arguments)


def test_upload_deleted_by_apple(world: World, uploaded: Uploaded, gate: Driven) -> None:
    """The build is found by its numbers."""
    arguments = uploaded()
    world.clock.sleep(60)
    world.store.delete("appstore.buildUploads", arguments["upload_id"])

    assert gate.up(**arguments)["build_id"]


def test_refresh(world: World, uploaded: Uploaded, gate: Driven) -> None:
    gate.up(**uploaded())

    world.clock.sleep(91 * 86400)

    assert gate.refresh()
    assert gate.outputs["expired"] is True


def _file(world: World) -> str:
    (file,) = control(world, "GET", "/appstore/state")["buildUploadFiles"]
    return str(file["id"])
