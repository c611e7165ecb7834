"""What `exit_with_parent.py` does with the signals, the exit code and the parent of its command."""

import subprocess

import pytest

from rehearsal.standins.exit_with_parent import EXIT_WITH_PARENT

FOREVER = "while :; do sleep 0.1; done"


def started(script: str) -> "subprocess.Popen[str]":
    command = [*EXIT_WITH_PARENT, "sh", "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("kill -KILL $$", 128 + 9),
        (f"trap 'exit 7' TERM; kill -TERM $PPID; {FOREVER}", 7),
        (f"trap 'exit 7' INT; kill -INT $PPID; {FOREVER}", 7),
    ],
)
def test_exit_code(script: str, code: int) -> None:
    """That of the command, to which signals are passed on."""
    with started(script) as process:
        process.wait()

    assert process.returncode == code


def test_end_of_parent() -> None:
    """A command that ignores two signals is killed."""
    with started(f"trap 'echo asked' TERM; echo ready; {FOREVER}") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.stdout.read() == "asked\nasked\n"

    assert process.returncode == 128 + 9
