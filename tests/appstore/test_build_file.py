"""When the file of a build is needed, and when it is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.output import UNKNOWN

from harness.appstore import build_arguments, calls, make_app, uploads
from harness.driver import Driven, Refused
from providers import engine
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.ipa import reader
from providers.errors import ProviderError
from rehearsal.cloud.world import World


@pytest.fixture
def build(world: World, configured: Callable[[Any], Any], arguments: dict[str, Any]) -> Driven:
    """A build that is uploaded."""
    driven = Driven(configured(BuildUploadProvider))
    driven.up(**arguments)
    return driven


@pytest.fixture
def arguments(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> dict[str, Any]:
    return build_arguments(tmp_path, make_app(world, configured))


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if the IPA is read, in part or as a whole."""

    def read(*arguments: object) -> None:
        raise AssertionError("the IPA was read")

    monkeypatch.setattr(reader, "inspect", read)
    monkeypatch.setattr(reader, "sha256", read)


def test_not_needed_after_upload(build: Driven, arguments: dict[str, Any], world: World) -> None:
    Path(arguments["ipa"]).unlink()
    before = calls(world)

    build.up(**{**arguments, "ipa": "/elsewhere/solmobile.ipa", "info": {"API_BASE_URL": "https://new.example"}})
    build.up(**{**arguments, "short_version": "1.0", "version": "0.0"})  # the same numbers

    assert build.steps == ["create", "same", "same"]
    assert calls(world) == before


@pytest.mark.usefixtures("build", "unreadable")
def test_not_read_after_upload(build: Driven, arguments: dict[str, Any]) -> None:
    build.up(**arguments)

    assert build.steps == ["create", "same"]


def test_not_compared_after_upload(build: Driven, arguments: dict[str, Any], world: World, tmp_path: Path) -> None:
    """The IPA is archived again, with the same number and other content."""
    again = build_arguments(tmp_path, arguments["app_id"], info={"API_BASE_URL": "https://new.example"})

    build.up(**again, archived_sha256=reader.sha256(Path(again["ipa"])))

    assert build.steps == ["create", "same"]
    assert len(uploads(world)) == 1


@pytest.mark.parametrize(
    ("archived", "problem"),
    [
        (None, "there is no IPA at .*, and build 1 of 1.0.0 is not uploaded yet; build it, or fix the path"),
        ("a" * 64, r"archived IPA is no longer at .*; run `pulumi up --replace '\*\*archive'` to archive it again"),
    ],
)
def test_missing_for_the_next(
    build: Driven, arguments: dict[str, Any], tmp_path: Path, archived: str | None, problem: str
) -> None:
    following = {**arguments, "version": "1", "ipa": str(tmp_path / "none.ipa"), "archived_sha256": archived}

    with pytest.raises(Refused, match=problem):
        build.up(**following)


def test_not_yet_archived(build: Driven, arguments: dict[str, Any], tmp_path: Path) -> None:
    """A preview does not ask for an IPA that `up` will build."""
    following = {**arguments, "version": "1", "ipa": str(tmp_path / "none.ipa"), "archived_sha256": UNKNOWN}

    assert build.provider.check({}, following).failures == []
    assert build.provider.check(build.inputs, following).failures == []


def test_unfitting_in_the_first_preview(
    world: World, configured: Callable[[Any], Any], arguments: dict[str, Any]
) -> None:
    """The ID of the app, and perhaps the URL of the backend, are not known yet."""
    wanted = {**arguments, "app_id": UNKNOWN, "bundle_id": "com.example.other", "info": {"API_BASE_URL": UNKNOWN}}

    (failure,) = configured(BuildUploadProvider).check({}, wanted).failures

    assert "its bundle ID is 'com.sollabs.solos', the stack's is 'com.example.other'" in failure.reason


def test_warning_in_the_preview(
    build: Driven, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build number with four parts is accepted, with a warning."""
    warnings = list[str]()
    monkeypatch.setattr(engine, "warn", warnings.append)
    following = build_arguments(tmp_path, arguments["app_id"], build="24.1.0.0")

    build.up(**following)

    assert build.steps == ["create", "replace"]
    assert set(warnings) == {
        "build number 24.1.0.0 has four parts, which Apple accepts and does not document; use at most three parts, to be safe"
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"short_version": "0.9.0"}, "build 0 of 0.9.0 is lower than build 0 of 1.0.0, which is uploaded"),
        ({"source": "beef123"}, "build 0 of 1.0.0 is uploaded already, built from c0ffee1234; beef123 would never"),
    ],
)
def test_refused_at_preview(build: Driven, arguments: dict[str, Any], change: dict[str, Any], problem: str) -> None:
    build.inputs["source"] = "c0ffee1234"

    with pytest.raises(Refused, match=problem):
        build.up(**{**arguments, **change})


def test_lower_build_number(build: Driven, arguments: dict[str, Any], tmp_path: Path) -> None:
    build.up(**build_arguments(tmp_path, arguments["app_id"], build="2"))

    with pytest.raises(Refused, match=r"build 1 of 1.0.0 is lower than build 2 of 1.0.0, which is uploaded"):
        build.up(**build_arguments(tmp_path, arguments["app_id"], build="1"))


def test_same_commit_written_short(build: Driven, arguments: dict[str, Any]) -> None:
    build.inputs["source"] = "c0ffee1234"

    build.up(**arguments, source="c0ffee1")

    assert build.steps == ["create", "same"]


@pytest.mark.parametrize(
    ("archived", "problem"),
    [("b" * 64, "is not the IPA that was archived"), ("", "was archived with settings other than the current ones")],
)
def test_other_than_archived(
    configured: Callable[[Any], Any], arguments: dict[str, Any], archived: str, problem: str
) -> None:
    with pytest.raises((Refused, ProviderError), match=problem):
        Driven(configured(BuildUploadProvider)).up(**arguments, archived_sha256=archived)


def test_read_twice_for_an_upload(
    configured: Callable[[Any], Any], arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for the digest, and once to send it."""
    read, sha256 = list[Path](), reader.sha256

    def counted(path: Path, progress: Callable[[str], None]) -> str:
        read.append(path)
        return sha256(path, progress)

    monkeypatch.setattr(reader, "sha256", counted)

    Driven(configured(BuildUploadProvider)).up(**arguments)

    assert read == [Path(arguments["ipa"])]


def test_progress_of_the_digest(tmp_path: Path) -> None:
    file, shown = tmp_path / "big.ipa", list[str]()
    file.write_bytes(bytes(3 * reader.PIECE // 2))

    reader.sha256(file, shown.append)

    assert shown == ["1.0 of 1.6 MB", "1.6 of 1.6 MB"]
