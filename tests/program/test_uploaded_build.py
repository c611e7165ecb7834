"""A stack whose build is uploaded, on a computer without the IPA: everything works that does not need another build."""

import shutil

import pytest

from harness.program import Stack, appstore


@pytest.fixture
def stack(running: tuple[Stack, dict[str, str]]) -> Stack:
    """The stack, without what the archive has left, and with a command that fails if it is run."""
    stack, _ = running
    shutil.rmtree(stack.project / ".rehearsal")
    stack.configure(archive="exit 1")
    return stack


def test_without_ipa(stack: Stack, running: tuple[Stack, dict[str, str]]) -> None:
    for operation in (("preview",), ("up",), ("up", "--refresh"), ("refresh",), ("destroy",)):
        assert stack.run(*operation) == 0, stack.text

    assert len(appstore(running[1])["buildUploads"]) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": "0.9.0"}, "build 0 of 0.9.0 is lower than build 0 of 1.0.0, which is uploaded"),
        ({"build": "1", "archive": ""}, "there is no IPA at .rehearsal/solmobile.ipa, and build 1 of 1.0.0 is not"),
    ],
)
def test_refused_at_preview(stack: Stack, change: dict[str, str], problem: str) -> None:
    stack.configure(**change)

    assert stack.run("preview") != 0

    assert problem in stack.text
