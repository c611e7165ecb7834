"""RESTORE_TO in the entry point of the image, with a stand-in for Litestream whose bucket is a folder: killed at any point, forgotten
after the volume is lost, and refused. tests/monitoring/test_with_replica.py has the real Litestream."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components.monitoring.machines import FILES

SCRIPT = (FILES / "with-replica").read_text()
RESTORE_TO = "2026-11-24T14:02:00Z"
BEGIN = SCRIPT.splitlines().index("restore_once() {") + 1
STEPS = {
    number: line.strip()
    for number, line in enumerate(SCRIPT.splitlines())
    if BEGIN <= number < SCRIPT.splitlines().index("}", BEGIN) and not line.endswith(("in", ";;", "then", "do"))
}
"""The lines after which the machine is killed, by number: all but those that only begin a command of several lines."""
LITESTREAM = """#!/bin/sh
set -eu
for last; do :; done
case "$1 $*" in
  *-if-db-not-exists*) [ ! -e "$last" ] || exit 0 ;;
  *-exec*) [ -e "$BUCKET/unreachable" ] || cp "$DATABASE_PATH" "$BUCKET/database"; eval "$last"; exit ;;
esac
[ ! -e "$BUCKET/unreachable" ] || exit 1
case "$1 $*" in
  ltx*) echo level; [ ! -e "$BUCKET/record" ] || echo 0 ;;
  *-once*) touch "$BUCKET/record" ;;
  *-timestamp*) [ ! -e "$7" ] || exit 1; echo good >"$7" ;;
  *-if-replica-exists*) [ ! -e "$BUCKET/database" ] || cp "$BUCKET/database" "$last" ;;
  *-if-db-not-exists*) cp "$BUCKET/database" "$last" ;;
esac
"""
"""Keeps one database, one record, and restores every point in time to `good`. A database that exists runs without the bucket."""


class Volume:
    """A machine with a volume, whose bucket is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = folder / "bucket"
        self.database = folder / "data" / "solos.sqlite3"
        self.temporary = folder / "tmp"
        for made in (self.bucket, self.database.parent, self.temporary):
            made.mkdir()
        litestream = folder / "bin" / "litestream"
        litestream.parent.mkdir()
        litestream.write_text(LITESTREAM)
        litestream.chmod(0o755)

    def start(
        self, script: str = SCRIPT, restore_to: str = RESTORE_TO, restore_required: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "TMPDIR": str(self.temporary),
            "BUCKET": str(self.bucket),
            "BUCKET_NAME": "backup",
            "AWS_ENDPOINT_URL_S3": "https://bucket.example",
            "DATABASE_PATH": str(self.database),
            "RESTORE_TO": restore_to,
            "RESTORE_REQUIRED": restore_required,
        }
        command = ["sh", "-c", script, "with-replica", "cat", str(self.database)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def write(self, rows: str) -> None:
        self.database.write_text(rows)

    def lose(self) -> None:
        shutil.rmtree(self.database.parent)
        self.database.parent.mkdir()


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    volume = Volume(tmp_path)
    volume.write("bad\n")
    return volume


@pytest.mark.parametrize("number", STEPS, ids=lambda number: STEPS[number][:40])
def test_killed_and_continued(volume: Volume, number: int) -> None:
    """Killed after any line, the next start restores, and the bad database is kept."""
    killed = volume.start(_killed_after(number))

    started = volume.start()

    assert (started.returncode, started.stdout) == (0, "good\n"), killed.stderr + started.stderr
    assert (
        volume.database.parent / f"{volume.database.name}.before-{RESTORE_TO}" / volume.database.name
    ).read_text() == "bad\n"


def lose(volume: Volume) -> None:
    volume.lose()


def restart(volume: Volume) -> None:
    volume.start()


@pytest.mark.parametrize("happens", [lose, restart])
def test_forgotten_line_restores_nothing(volume: Volume, happens: Callable[[Volume], None]) -> None:
    """What was written after the restore stays: after a restart, and after the volume was lost."""
    volume.start()
    volume.write("later\n")
    volume.start()

    happens(volume)

    assert volume.start().stdout == "later\n"


def test_restored_without_bucket(volume: Volume) -> None:
    """After the restore, a start with the forgotten line asks the bucket for nothing."""
    volume.start()
    (volume.bucket / "unreachable").touch()

    assert volume.start().stdout == "good\n"


def test_line_removed_after_kill(volume: Volume) -> None:
    """A start without the line, after one that was killed, runs the bad database again. Its WAL does not get into the good one."""
    volume.start(restore_to="")
    volume.start(_killed_after(next(number for number, line in STEPS.items() if line == 'touch "$aside/complete"')))
    wal = volume.database.with_name(f"{volume.database.name}-wal")
    assert volume.start(restore_to="").stdout == "bad\n"
    wal.write_text("of the bad database")

    assert volume.start().stdout == "good\n"
    assert not wal.exists()


def test_lost_volume_is_restored(volume: Volume) -> None:
    volume.start(restore_to="")
    volume.lose()

    assert volume.start(restore_to="", restore_required="1").stdout == "bad\n"
    assert volume.start(restore_to="", restore_required="1").stdout == "bad\n"


def test_lost_volume_and_bucket(volume: Volume) -> None:
    """The server does not start with an empty database; on a first start it does."""
    volume.lose()

    refused = volume.start(restore_to="", restore_required="1")

    assert (refused.returncode, refused.stdout) == (78, "")
    assert "cannot be restored from bucket backup" in refused.stderr
    assert 'give the data up: FLY_LOST="VOLUME empty"' in refused.stderr
    assert "No such file" in volume.start(restore_to="").stderr  # of `cat`, which is the server here


def test_nothing_temporary_left(volume: Volume) -> None:
    volume.start()

    assert list(volume.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2999-01-01T00:00:00Z", "that is in the future"),
        ("yesterday", f"it must be a time in UTC such as {RESTORE_TO}"),
        ("2026-11-24", f"it must be a time in UTC such as {RESTORE_TO}"),
    ],
)
def test_refused_times(volume: Volume, value: str, reason: str) -> None:
    refused = volume.start(restore_to=value)

    assert (refused.returncode, refused.stdout) == (78, "")
    assert refused.stderr == f"with-replica: RESTORE_TO is {value}, but {reason}\n"
    assert volume.database.read_text() == "bad\n"


def test_unreadable_bucket(volume: Volume) -> None:
    """Nothing is restored while it is not known whether it was done."""
    (volume.bucket / "unreachable").touch()

    assert volume.start().returncode == 1
    assert volume.database.read_text() == "bad\n"


def _killed_after(number: int) -> str:
    lines = SCRIPT.splitlines()
    return "\n".join([*lines[: number + 1], "exit 9", *lines[number + 1 :]])
