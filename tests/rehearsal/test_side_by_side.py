"""Two rehearsals at a time: each clone has ports of its own, and one clone has one rehearsal."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from rehearsal import ports
from rehearsal.cloud.world import World
from rehearsal.folder import InUse, locked
from tests.rehearsal.conftest import Clone


def is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> int:
    """The usual first port: one of this process, with free ports after it, below the range from which systems choose ports."""
    first = 20000 + os.getpid() % 1000 * ports.STEP
    port = next(port for port in range(first, 32000, ports.STEP) if all(map(is_free, range(port, port + ports.STEP))))
    monkeypatch.setattr(ports, "USUAL", port)
    return port


def test_usual_ports_when_free(usual: int, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()

    with ports.listeners(world, None):
        assert world.addresses["fly"].endswith(f":{usual}")

    world.close()
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # cheroot leaves a socket that cannot bind
def test_other_ports_when_taken(usual: int, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()

    with socket.create_server(("127.0.0.1", usual)), ports.listeners(world, None):
        assert not world.addresses["fly"].endswith(f":{usual}")

    world.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Port {usual} or one of the next ports is in use; the doubles listen on ports ")


def test_two_clones_at_once(tmp_path: Path) -> None:
    clones = [Clone(tmp_path / name) for name in ("one", "other")]

    runs = [clone.start() for clone in clones]

    for run in runs:
        text, _ = run.communicate()
        assert run.returncode == 0, text


def test_second_rehearsal_names_the_first(clone: Clone) -> None:
    with locked(clone.folder / ".rehearsal", "make rehearse"):
        assert clone.run() == 1

    assert clone.text == (
        f"error: .rehearsal is in use by process {os.getpid()} (make rehearse): "
        f"wait for it, or end it with `kill {os.getpid()}`\n"
    )


def test_lock_is_released(tmp_path: Path) -> None:
    with locked(tmp_path, "make rehearse"), pytest.raises(InUse), locked(tmp_path, "make rehearse"):
        pass

    with locked(tmp_path, "make rehearse"):
        pass
