"""A file is what the stack says, and somebody's own work is never deleted."""

from pathlib import Path

import pytest

from harness.driver import Driven, Refused
from providers.errors import ProviderError
from providers.local.file import FileProvider


@pytest.fixture
def file() -> Driven:
    return Driven(FileProvider())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Release.xcconfig"


def test_change_in_place(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    file.up(path=str(path), content="A = 2\n")

    assert file.steps == ["create", "update"]
    assert path.read_text() == "A = 2\n"
    assert [item.name for item in path.parent.iterdir()] == ["Release.xcconfig"]


def test_drift_is_repaired(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    path.write_text("A = 9\n")

    assert file.refresh()
    assert file.inputs["content"] == "A = 9\n"
    file.up(path=str(path), content="A = 1\n")

    assert path.read_text() == "A = 1\n"


def test_deleted_file_is_rewritten(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    path.unlink()

    assert not file.refresh()
    file.up(path=str(path), content="A = 1\n")

    assert path.read_text() == "A = 1\n"


def test_new_path_moves_file(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")

    file.up(path=f"{path}.new", content="A = 1\n")

    assert [item.name for item in path.parent.iterdir()] == ["Release.xcconfig.new"]


def test_destroy_deletes_own_file(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")

    file.destroy()

    assert not path.exists()


def test_destroy_keeps_edited_file(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    path.write_text("mine")

    file.destroy()

    assert path.read_text() == "mine"


def test_missing_folder_is_refused(file: Driven, path: Path) -> None:
    """The preview fails, not the `up`."""
    with pytest.raises(Refused, match=r"the folder .*/Config of Release\.xcconfig does not exist"):
        file.up(path=str(path.parent / "Config" / path.name), content="A = 1\n")


def test_unwritable_path_is_reported(file: Driven, path: Path) -> None:
    path.mkdir()

    with pytest.raises(ProviderError, match=r"cannot write .*: Is a directory"):
        file.up(path=str(path), content="A = 1\n")


def test_folder_is_deleted_later(file: Driven, path: Path) -> None:
    """Another computer does not have the folder. That matters only when the file has to be written."""
    file.up(path=str(path), content="A = 1\n")
    path.unlink()
    path.parent.rmdir()

    file.up(path=str(path), content="A = 1\n")
    assert file.refresh()
    with pytest.raises(Refused, match="does not exist"):
        file.up(path=str(path), content="A = 2\n")

    assert file.steps == ["create", "same", "read"]
