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


def test_it_is_written_and_changed_in_place(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    file.up(path=str(path), content="A = 2\n")

    assert file.steps == ["create", "update"]
    assert path.read_text() == "A = 2\n"
    assert [each.name for each in path.parent.iterdir()] == ["Release.xcconfig"]


def test_what_somebody_changed_is_shown_by_refresh_and_put_back(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    path.write_text("A = 9\n")

    assert file.refresh()
    assert file.inputs["content"] == "A = 9\n"
    file.up(path=str(path), content="A = 1\n")

    assert path.read_text() == "A = 1\n"


def test_a_deleted_file_is_written_again(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    path.unlink()

    assert not file.refresh()
    file.up(path=str(path), content="A = 1\n")

    assert path.read_text() == "A = 1\n"


def test_another_path_moves_it(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")

    file.up(path=f"{path}.new", content="A = 1\n")

    assert [each.name for each in path.parent.iterdir()] == ["Release.xcconfig.new"]


def test_destroying_removes_what_the_stack_wrote(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")

    file.destroy()

    assert not path.exists()


def test_destroying_leaves_what_somebody_else_wrote(file: Driven, path: Path) -> None:
    file.up(path=str(path), content="A = 1\n")
    path.write_text("mine")

    file.destroy()

    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_refused_at_preview(file: Driven, path: Path) -> None:
    with pytest.raises(Refused, match=r"the folder .*/Config of Release\.xcconfig does not exist"):
        file.up(path=str(path.parent / "Config" / path.name), content="A = 1\n")


def test_a_path_that_cannot_be_written_is_told_in_one_line(file: Driven, path: Path) -> None:
    path.mkdir()

    with pytest.raises(ProviderError, match=r"cannot write .*: Is a directory"):
        file.up(path=str(path), content="A = 1\n")


def test_without_its_folder(file: Driven, path: Path) -> None:
    """The stack is run on a computer without the folder, and nothing is to be written."""
    file.up(path=str(path), content="A = 1\n")
    path.unlink()
    path.parent.rmdir()

    file.up(path=str(path), content="A = 1\n")
    assert file.refresh()
    with pytest.raises(Refused, match="does not exist"):
        file.up(path=str(path), content="A = 2\n")

    assert file.steps == ["create", "same", "read"]
