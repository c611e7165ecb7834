"""A clone of the repository in which a test can break things, and rehearse."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.program import CONFIG, create_project
from rehearsal.doubles import Control
from tests.processes import wait_until, with_command

WAIVER = {"reason": "rehearsed elsewhere", "by": "this test"}
QUICK: dict[str, Any] = {
    "solos:monitoring": {},
    "solos:database": {"kind": "sqlite", "restoreDrill": "false"},
    "solos:waivers": dict.fromkeys(("monitoring", "logging", "alerting", "backups"), WAIVER),
}
"""Leaves out the two parts of a launch that take longest."""


EXPORTED = {
    "FLY_API_TOKEN": "of a real organisation",
    "FLY_LOST": "sjc",
    "ASC_PRIVATE_KEY_PATH": "/nowhere/AuthKey.p8",
    "BETTERSTACK_API_TOKEN": "of a real team",
    "PULUMI_BACKEND_URL": "s3://state-of-production",
    "PULUMI_CONFIG_PASSPHRASE_FILE": "/nowhere/passphrase",
    "PULUMI_STACK": "prod",
    "PULUMI_CONFIG": '{"solos:endpoints": "{}"}',
    "PULUMI_TEST_MODE": "true",
    "PULUMI_OPTION_TARGET": "urn:of:another:stack",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "127.0.0.1,localhost",  # as the Makefile sets it
}
"""What a person has exported for other stacks. A rehearsal ignores it."""


class Clone:
    """What is committed, as links; the files that a test edits are copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = ""
        create_project(folder)
        self.write("Pulumi.rehearsal.yaml", self.stack_file())

    def stack_file(self, **changes: Any) -> str:
        """A stack that can be launched, with some keys changed, without their `solos:`; None removes one."""
        config = {f"solos:{key}": value for key, value in (CONFIG | changes).items() if value is not None}
        return yaml.safe_dump({"config": config | QUICK}, sort_keys=False)

    def configure(self, **changes: Any) -> None:
        self.write("Pulumi.rehearsal.yaml", self.stack_file(**changes))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, what: str = "launch", *options: str) -> int:
        """A rehearsal, to its end; the exit code. What it printed is in `text`."""
        process = self.start(what, *options)
        self.text, _ = process.communicate()
        return process.returncode

    def start(self, what: str = "launch", *options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "rehearsal.rehearse", what, "--engine", "embedded", "--port", "0", *options]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **EXPORTED},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def control(self) -> Control:
        """The control address of the rehearsal that was just started."""
        addresses = self.folder / ".rehearsal/addresses.json"
        wait_until(addresses.exists)
        return Control(json.loads(addresses.read_text())["control"])


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    clone = Clone(tmp_path / "clone")
    yield clone
    for pid in with_command(str(clone.folder)):
        with suppress(ProcessLookupError):  # ended meanwhile
            os.kill(pid, signal.SIGKILL)
