"""A process from `harness/warm` behaves like one of the real interpreter."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import warm
from tests.processes import is_alive, wait_until

SCRIPT = """
import os, sys, time
print(sys.argv[1:], os.getcwd(), os.environ.get("GIVEN"), sys.stdin.read(), "providers" in sys.modules)
print(os.getpid(), file=sys.stderr, flush=True)
if "sleep" in sys.argv:
    time.sleep(60)
if "start" in sys.argv:
    import subprocess
    subprocess.run([sys.executable, __file__, "0", "sleep"], stdin=subprocess.DEVNULL)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(params=["warm", "real"])
def python(request: pytest.FixtureRequest) -> str:
    return sys.executable if request.param == "warm" else warm.REAL


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return str(path)


def test_streams_arguments_and_exit_code(python: str, script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, script, "3", "other"],
        cwd=tmp_path,
        env={"GIVEN": "value"},
        input="text",
        capture_output=True,
        text=True,
        check=False,
    )

    is_warm = python != warm.REAL
    assert done.stdout == f"['3', 'other'] {tmp_path} value text {is_warm}\n"
    assert done.returncode == 3


@pytest.mark.parametrize("server_unbuffered", ["", "1"])
def test_output_without_buffer(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, server_unbuffered: str
) -> None:
    """A line arrives at once, however the server was started: an engine waits for the address that a provider prints."""
    (tmp_path / "script.py").write_text("import time\nprint('ready')\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONUNBUFFERED", server_unbuffered)
    with (
        warm.executable(tmp_path_factory.mktemp("p")) as python,
        subprocess.Popen(
            [python, "-u", str(tmp_path / "script.py")],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 30)
        line = process.stdout.readline() if ready else "no output"
        process.terminate()

        assert line == "ready\n"


def test_module_with_error(python: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError(__name__)")

    done = subprocess.run([python, "-m", "broken"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: __main__\n")


def test_other_options(python: str) -> None:
    done = subprocess.run([python, "-c", "print(6 * 7)"], stdout=subprocess.PIPE, text=True, check=True)

    assert done.stdout == "42\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signal_ends_process(python: str, script: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [python, script, "0", "sleep"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        pid = int(process.stderr.readline())
        process.send_signal(number)
        assert process.stderr.readline() == ""  # the process has ended, because nothing holds its stream

    assert process.returncode == -number
    wait_until(lambda: not is_alive(pid))  # its streams are closed a moment before


def test_kill_of_group(python: str, script: str) -> None:
    """Kills what a process has started, too: the rehearsal ends an engine like that."""
    with subprocess.Popen(
        [python, script, "0", "start"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        pids = [int(process.stderr.readline()) for _ in range(2)]
        os.killpg(process.pid, signal.SIGKILL)
        assert process.stderr.readline() == ""

    wait_until(lambda: not any(map(is_alive, pids)))
