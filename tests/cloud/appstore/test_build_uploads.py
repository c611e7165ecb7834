"""Build uploads of the double: reserve, send parts, commit, process, and the delay until the build appears."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.inprocess import Doubles, control
from rehearsal.cloud.world import World
from rehearsal.standins import ipa
from tests.cloud.appstore.caller import BUNDLE_ID, Caller, reference


@pytest.fixture
def api(world: World) -> Caller:
    control(world, "POST", "/appstore/settings", {"part_bytes": 1500})
    return Caller(world)


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., bytes]:
    def make(**changes: Any) -> bytes:
        given = {"bundle_id": BUNDLE_ID, "version": "1.0.0", "build": "0", **changes}
        return ipa.write(tmp_path / "solmobile.ipa", **given).read_bytes()

    return make


def reserve(api: Caller, app: dict[str, Any], content: bytes, build: str = "0") -> tuple[Any, Any]:
    """A build upload and its file."""
    attributes = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": build, "platform": "IOS"}
    upload = api.make("buildUploads", attributes, app=app)
    about = {"assetType": "ASSET", "fileName": "a.ipa", "fileSize": len(content), "uti": "com.apple.ipa"}
    return upload, api.make("buildUploadFiles", about, buildUpload=reference(upload))


def put(api: Caller, operation: Any, content: bytes, **headers: str) -> httpx.Response:
    start = operation["offset"]
    sent = {header["name"]: header["value"] for header in operation["requestHeaders"]} | headers
    with httpx.Client(transport=Doubles(api.world)) as client:
        return client.put(operation["url"], content=content[start : start + operation["length"]], headers=sent)


def commit(api: Caller, file: Any, **attributes: Any) -> httpx.Response:
    data = {"type": file["type"], "id": file["id"], "attributes": {"uploaded": True, **attributes}}
    return api("PATCH", f"/v1/buildUploadFiles/{file['id']}", {"data": data})


def send(api: Caller, app: dict[str, Any], content: bytes, build: str = "0") -> Any:
    """Upload it all; the build upload."""
    upload, file = reserve(api, app, content, build)
    for operation in file["attributes"]["uploadOperations"]:
        assert put(api, operation, content).status_code == 200
    assert commit(api, file).status_code == 200
    return upload


def state(api: Caller, upload: Any) -> Any:
    return api.read(f"/v1/buildUploads/{upload['id']}")["attributes"]["state"]


def test_upload_becomes_build(api: Caller, build: Callable[..., bytes]) -> None:
    """A committed upload becomes a build that testers can install."""
    app = api.app()

    upload = send(api, app, build())

    assert state(api, upload)["state"] == "PROCESSING"
    api.world.clock.sleep(30)
    assert state(api, upload)["state"] == "COMPLETE"
    made = api.read(f"/v1/buildUploads/{upload['id']}")["relationships"]["build"]["data"]
    assert api.read(f"/v1/builds/{made['id']}")["attributes"]["processingState"] == "VALID"
    detail = api.read(f"/v1/builds/{made['id']}/buildBetaDetail")
    assert detail["attributes"]["internalBuildState"] == "READY_FOR_BETA_TESTING"


def test_build_appears_late(api: Caller, build: Callable[..., bytes]) -> None:
    """The build record appears after the upload is COMPLETE."""
    upload = send(api, api.app(), build())

    api.world.clock.sleep(api.world.delays.upload_processing)

    assert state(api, upload)["state"] == "COMPLETE"
    assert "build" not in api.read(f"/v1/buildUploads/{upload['id']}")["relationships"]


def test_ipa_of_other_app_fails(api: Caller, build: Callable[..., bytes]) -> None:
    """Apple refuses the IPA of another app after the upload."""
    upload = send(api, api.app(), build(bundle_id="com.example.other", without=("embedded.mobileprovision",)))

    api.world.clock.sleep(30)

    assert state(api, upload)["state"] == "FAILED"
    assert [error["code"] for error in state(api, upload)["errors"]] == ["90054", "90174"]


def test_early_commit_is_refused(api: Caller, build: Callable[..., bytes]) -> None:
    """A commit before all parts are uploaded is refused."""
    content = build()
    _, file = reserve(api, api.app(), content)
    put(api, file["attributes"]["uploadOperations"][0], content)

    response = commit(api, file)

    assert response.status_code == 409
    assert "parts [2" in response.json()["errors"][0]["detail"]


def test_commit_with_checksums_is_refused(api: Caller, build: Callable[..., bytes]) -> None:
    content = build()
    _, file = reserve(api, api.app(), content)
    for operation in file["attributes"]["uploadOperations"]:
        put(api, operation, content)

    response = commit(api, file, sourceFileChecksums={"file": {"hash": "00", "algorithm": "SHA_256"}})

    assert response.json()["errors"][0]["source"]["pointer"] == "/data/attributes/sourceFileChecksums"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Authorization": "Bearer x"}, 400), ({"Content-Type": "text/plain"}, 403)],
    ids=["a bearer token", "another content type"],
)
def test_storage_headers(api: Caller, build: Callable[..., bytes], headers: dict[str, str], status: int) -> None:
    """The storage accepts exactly the announced headers."""
    content = build()
    _, file = reserve(api, api.app(), content)

    assert put(api, file["attributes"]["uploadOperations"][0], content, **headers).status_code == status


def test_url_expires(api: Caller, build: Callable[..., bytes]) -> None:
    content = build()
    _, file = reserve(api, api.app(), content)

    api.world.clock.sleep(api.world.delays.url_lifetime)

    assert put(api, file["attributes"]["uploadOperations"][0], content).status_code == 403


def test_build_number_is_taken(api: Caller, build: Callable[..., bytes]) -> None:
    """A build number is taken once its upload is committed."""
    app = api.app()
    reserve(api, app, build())
    send(api, app, build())
    again = {"cfBundleShortVersionString": "1.0", "cfBundleVersion": "0", "platform": "IOS"}

    refusal = api.make("buildUploads", again, app=app, status=409)

    assert refusal["code"] == "ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE"
    assert refusal["detail"].endswith("'0'")


def test_rejected_number_is_used_up(api: Caller, build: Callable[..., bytes]) -> None:
    """Also once the upload is deleted."""
    control(api.world, "POST", "/appstore/reject", {"codes": {"90683": "Missing purpose string."}})
    app = api.app()
    rejected = send(api, app, build())
    api("DELETE", f"/v1/buildUploads/{rejected['id']}")
    attributes = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": "0", "platform": "IOS"}

    error = api.make("buildUploads", attributes, status=409, app=app)

    assert error["code"] == "ENTITY_ERROR.ATTRIBUTE.INVALID.DUPLICATE"


def test_race_for_build_number(api: Caller, build: Callable[..., bytes]) -> None:
    """Of two uploads with the same number the later commit fails."""
    app, content = api.app(), build()
    slow, file = reserve(api, app, content)
    send(api, app, content)

    for operation in file["attributes"]["uploadOperations"]:
        put(api, operation, content)
    commit(api, file)
    api.world.clock.sleep(30)

    assert [error["code"] for error in state(api, slow)["errors"]] == ["90189"]
    assert len(control(api.world, "GET", "/appstore/state")["builds"]) == 1


def test_part_order(api: Caller, build: Callable[..., bytes]) -> None:
    """Parts can arrive in any order, and more than once."""
    content = build()
    upload, file = reserve(api, api.app(), content)
    operations = file["attributes"]["uploadOperations"]

    for operation in [*reversed(operations), operations[0]]:
        assert put(api, operation, content).status_code == 200
    commit(api, file)

    assert state(api, upload)["state"] == "PROCESSING"


def test_part_length(api: Caller, build: Callable[..., bytes]) -> None:
    """A part of the wrong length is refused."""
    content = build()
    _, file = reserve(api, api.app(), content)
    (first, *_) = file["attributes"]["uploadOperations"]

    short = put(api, {**first, "length": first["length"] - 1}, content)
    long = put(api, {**first, "length": first["length"] + 1}, content)

    assert (short.status_code, long.status_code) == (400, 400)
    assert commit(api, file).status_code == 409


def test_deleted_upload(api: Caller, build: Callable[..., bytes]) -> None:
    """Deleting an upload deletes its bytes."""
    content = build()
    upload, file = reserve(api, api.app(), content)
    put(api, file["attributes"]["uploadOperations"][0], content)

    assert api("DELETE", f"/v1/buildUploads/{upload['id']}").status_code == 204

    assert api("GET", f"/v1/buildUploads/{upload['id']}").status_code == 404
    assert list((api.world.files / "uploads").iterdir()) == []
