"""The launch by hand: the commands that `make serve` prints, typed in another shell with a person's variables, reach "launched"."""

import os
import signal
import subprocess
import sys

from rehearsal.people import AppForm, People
from tests.rehearsal.conftest import EXPORTED, Clone


def test_printed_commands_reach_launched(clone: Clone) -> None:
    serving = clone.start("serve")
    control = clone.control().url
    form = AppForm("com.sollabs.solos.rehearsal", "SolOS Rehearsal", "com.sollabs.solos.rehearsal")

    with People(control, form, []):  # only the account holder
        done = subprocess.run(
            ["sh", "-e", "-c", commands(serving)],
            cwd=clone.folder,
            env={**os.environ, **EXPORTED},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    serving.send_signal(signal.SIGINT)
    text, _ = serving.communicate()

    assert done.returncode == 0, done.stdout
    assert "v0 is launched, declared by" in done.stdout
    assert (serving.returncode, text) == (0, "")


def commands(serving: "subprocess.Popen[str]") -> str:
    """What is printed for the other shell, with this Python in place of make."""
    assert serving.stdout is not None
    printed: list[str] = []
    while not printed or not printed[-1].startswith("    make report"):
        printed.append(serving.stdout.readline())
    serving.stdout.readline()
    lines = "".join(line for line in printed if line.startswith("    "))
    return lines.replace("make people", f"{sys.executable} -m rehearsal.rehearse people").replace(
        "make report STACK=", f"{sys.executable} -m report --stack "
    )


def test_people_without_doubles(clone: Clone) -> None:
    assert clone.run("people") == 1

    assert clone.text == "error: .rehearsal/addresses.json is missing: run `make serve` in another shell first\n"
