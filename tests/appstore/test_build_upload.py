"""A build is uploaded once, whatever fails."""

import base64
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.appstore import build_arguments, calls, make_app, uploads
from harness.driver import Driven, Refused
from harness.inprocess import Doubles, control, route_to
from providers.appstore.api import upload
from providers.appstore.build_upload import BuildUploadProvider, VersionTaken
from providers.appstore.ipa.reader import inspect
from providers.errors import ProviderError
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.cloud.appstore.caller import Caller, reference


@pytest.fixture
def app(world: World, configured: Callable[[Any], Any]) -> str:
    return make_app(world, configured)


@pytest.fixture
def build(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(BuildUploadProvider))


def test_uploaded_in_parts(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    build.up(**build_arguments(tmp_path, app))

    assert len(calls(world, "storage")) > 2
    assert [upload["state"]["state"] for upload in uploads(world)] == ["PROCESSING"]


def test_calls_of_an_upload(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    before = len(calls(world))

    build.up(**build_arguments(tmp_path, app))

    (file,) = control(world, "GET", "/appstore/state")["buildUploadFiles"]
    assert calls(world)[before:] == [
        f"GET /v1/apps/{app}/buildUploads",
        "GET /v1/builds",
        "POST /v1/buildUploads",
        "POST /v1/buildUploadFiles",
        f"PATCH /v1/buildUploadFiles/{file['id']}",
    ]


def test_stored_bytes_equal(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    arguments = build_arguments(tmp_path, app, padding=30_000)

    build.up(**arguments)

    (stored,) = (world.files / "uploads").iterdir()
    assert stored.read_bytes() == Path(arguments["ipa"]).read_bytes()


def test_same_content_sent_once(
    world: World, app: str, build: Driven, configured: Callable[[Any], Any], tmp_path: Path
) -> None:
    arguments = build_arguments(tmp_path, app)
    build.up(**arguments)
    sent = len(calls(world, "storage"))
    from_another_machine = Driven(configured(BuildUploadProvider))

    from_another_machine.up(**arguments)

    assert from_another_machine.id == build.id
    assert len(calls(world, "storage")) == sent


def test_number_taken(app: str, build: Driven, configured: Callable[[Any], Any], tmp_path: Path) -> None:
    """The error names the next free number."""
    build.up(**build_arguments(tmp_path, app))
    other = build_arguments(tmp_path, app, info={"API_BASE_URL": "https://staging.example"})

    with pytest.raises(VersionTaken, match=r"build number 0\.1, which is free"):
        Driven(configured(BuildUploadProvider)).up(**other)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bundle_id": "com.example.other"}, "its bundle ID is 'com.example.other'"),
        ({"version": "1.0.1"}, "its version is 1.0.1, the stack's is 1.0.0"),
        ({"without": ("embedded.mobileprovision",)}, "no embedded.mobileprovision"),
        ({"without": ("CFBundleIcons",)}, "90713"),
        ({"info": {"API_BASE_URL": "https://staging.example"}}, "API_BASE_URL = https://staging.example"),
    ],
)
def test_ipa_refused_before_upload(
    build: Driven, world: World, tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    arguments = build_arguments(tmp_path, "6740000001", **change)

    wanted = {**arguments, "info": {"API_BASE_URL": "https://solos-prod.fly.dev"}}
    with pytest.raises(Refused) as at_preview:
        build.up(**wanted)
    with pytest.raises(ProviderError, match="fix the IPA, then run `pulumi up` again") as at_upload:
        build.provider.create(wanted)  # The file was replaced after the preview.

    assert problem in str(at_preview.value)
    assert problem in str(at_upload.value)
    assert calls(world) == []


def test_team_and_certificate_required(app: str, build: Driven, tmp_path: Path) -> None:
    arguments = build_arguments(tmp_path, app)
    profile = inspect(Path(arguments["ipa"])).profile
    assert profile
    certificate = base64.b64encode(profile.certificates[0]).decode()
    (tmp_path / "others").mkdir()
    others = build_arguments(tmp_path / "others", app)

    with pytest.raises(Refused, match="belongs to team SLLABS4TM1, the stack's team is SLLABS4TM2"):
        build.up(**arguments, certificate=certificate, team_id="SLLABS4TM2")
    with pytest.raises(Refused, match="does not contain the stack's distribution certificate"):
        build.up(**others, certificate=certificate, team_id="SLLABS4TM1")
    build.up(**arguments, certificate=certificate, team_id="SLLABS4TM1")

    assert build.steps == ["create"]


def test_failed_part_sent_again(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    world.faults.arm(Fault("refuse", service="storage", skip=1, times=2, status=503))
    world.faults.arm(Fault("lose_after", service="storage"))

    build.up(**build_arguments(tmp_path, app))

    assert [upload["state"]["state"] for upload in uploads(world)] == ["PROCESSING"]


def test_headers_of_a_part(
    world: World, app: str, build: Driven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly Apple's: the signature of the address covers them."""
    sent: list[httpx.Request] = []

    class Watched(Doubles):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            sent.extend([request] if request.url.host == "storage.test" else [])
            return super().handle_request(request)

    route_to(monkeypatch, world, Watched(world))

    build.up(**build_arguments(tmp_path, app))

    assert {tuple(sorted(request.headers)) for request in sent} == {("content-length", "content-type", "host")}


def test_parts_in_parallel(
    world: World, app: str, build: Driven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most PARALLEL_PARTS at a time."""
    lock, at_once, most = threading.Lock(), 0, 0
    together = threading.Barrier(upload.PARALLEL_PARTS)

    class Slow(Doubles):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal at_once, most
            if request.url.host != "storage.test":
                return super().handle_request(request)
            with lock:
                at_once += 1
                most = max(most, at_once)
            together.wait(10)
            with lock:
                at_once -= 1
            return super().handle_request(request)

    route_to(monkeypatch, world, Slow(world))
    size = 1200 * 2 * upload.PARALLEL_PARTS

    build.up(**build_arguments(tmp_path, app, files={"filler": os.urandom(size - 4000)}))

    assert most == upload.PARALLEL_PARTS


def test_interrupted_upload_adopted(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    """Also after its addresses have expired."""
    arguments = build_arguments(tmp_path, app)
    world.faults.arm(Fault("refuse", service="storage", status=400))
    with pytest.raises(ProviderError, match="run `pulumi up` again"):
        build.up(**arguments)
    world.clock.sleep(2 * world.delays.url_lifetime)

    build.up(**arguments)

    assert [upload["state"]["state"] for upload in uploads(world)] == ["PROCESSING"]
    assert calls(world, method="POST").count("POST /v1/buildUploads") == 1


def test_empty_reservation_replaced(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    world.faults.arm(Fault("refuse", service="storage", status=400))
    with pytest.raises(ProviderError):
        build.up(**build_arguments(tmp_path, app))
    (stale,) = uploads(world)

    build.up(**build_arguments(tmp_path, app, info={"API_BASE_URL": "https://staging.example"}))

    assert calls(world, method="DELETE") == [f"DELETE /v1/buildUploads/{stale['id']}"]
    assert [upload["state"]["state"] for upload in uploads(world)] == ["PROCESSING"]


def test_upload_of_others_kept(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    caller = Caller(world)
    numbers = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": "0", "platform": "IOS"}
    theirs = caller.make("buildUploads", numbers, app={"type": "apps", "id": app})
    file = {"assetType": "ASSET", "fileName": "SolOS.ipa", "fileSize": 9000, "uti": "com.apple.ipa"}
    caller.make("buildUploadFiles", file, buildUpload=reference(theirs))

    build.up(**build_arguments(tmp_path, app))

    states = {upload["id"]: upload["state"]["state"] for upload in uploads(world)}
    assert states == {theirs["id"]: "AWAITING_UPLOAD", build.id: "PROCESSING"}


def test_number_taken_by_others(
    world: World, app: str, build: Driven, configured: Callable[[Any], Any], tmp_path: Path
) -> None:
    build.up(**build_arguments(tmp_path, app, build="0.3"))
    world.clock.sleep(60)
    world.store.delete("appstore.buildUploads", build.id)  # as for a build that Xcode has uploaded

    with pytest.raises(VersionTaken, match=r"has received builds 0\.3 of 1\.0\.0.*build number 0\.4, which is free"):
        Driven(configured(BuildUploadProvider)).up(**build_arguments(tmp_path, app, build="0"))


def test_expired_addresses(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    world.delays = Delays(url_lifetime=40)
    world.faults.arm(Fault("hang", service="storage", seconds=60))

    build.up(**build_arguments(tmp_path, app))

    assert [upload["state"]["state"] for upload in uploads(world)] == ["PROCESSING"]
    assert calls(world, method="POST").count("POST /v1/buildUploadFiles") == 2


def test_lost_response_of_commit(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    world.faults.arm(Fault("lose_after", service="appstore", method="PATCH", path="buildUploadFiles"))

    build.up(**build_arguments(tmp_path, app))

    assert len(calls(world, method="PATCH")) == 1


def test_destroy(world: World, app: str, build: Driven, tmp_path: Path) -> None:
    """Deletes only an upload that Apple does not have completely."""
    build.up(**build_arguments(tmp_path, app))

    build.destroy()

    assert len(uploads(world)) == 1
