"""The entry point of the image with real Litestream and a bucket: restore to the time before a bad migration."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.monitoring.machines import FILES
from rehearsal.cloud.fly.programs import SEARCH_PATH
from rehearsal.cloud.server import Listeners
from rehearsal.cloud.world import World
from tests.needs import needs

TIMEOUT_SECONDS = 30.0
SNAPSHOTS = "database%2F0009%2F*.ltx"
"""What Litestream begins a restore with: level 9 of its files."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "solos.sqlite3"
    path.parent.mkdir()
    return path


@pytest.fixture
def environment(tmp_path: Path, database: Path) -> Iterator[dict[str, str]]:
    """Of a machine whose bucket is the double's. Only paths and the interval of uploads differ from production."""
    config = (FILES / "litestream.yml").read_text().replace("${DATABASE_PATH}", str(database))
    path = tmp_path / "litestream.yml"
    path.write_text(config.replace('":9090"', '""').replace("sync-interval: 10s", "sync-interval: 200ms"))
    with closing(World(tmp_path / "world")) as world, Listeners(world):
        yield {
            "PATH": f"{SEARCH_PATH}:{os.environ['PATH']}",
            "DATABASE_PATH": str(database),
            "LITESTREAM_CONFIG": str(path),
            "BUCKET_NAME": "solos-backup",
            "AWS_ENDPOINT_URL_S3": world.addresses["bucket"],
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what} took longer than {TIMEOUT_SECONDS:g} s"
        time.sleep(0.05)


@contextmanager
def running(environment: dict[str, str], **more: str) -> Iterator[None]:
    """The machine, with a server that only sleeps, as long as the block runs; its end sends what is left to the bucket."""
    ready = Path(environment["DATABASE_PATH"]).parent / "ready"
    ready.unlink(missing_ok=True)
    command = ["sh", str(FILES / "with-replica"), "sh", "-c", f'"touch {ready}; sleep 600"']
    with subprocess.Popen(command, env={**environment, **more}, stdout=subprocess.DEVNULL) as machine:
        try:
            until(lambda: ready.exists() or machine.poll() is not None, "the start of the server")
            assert machine.poll() is None, "it ended by itself"
            yield
        finally:
            machine.terminate()
    assert machine.returncode == 0


def execute(database: Path, *statements: str) -> int:
    """Run the statements; how many notes there are then."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        for statement in ("CREATE TABLE IF NOT EXISTS notes (text)", *statements):
            connection.execute(statement)
        connection.commit()
        return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])


@contextmanager
def uploaded(folder: Path) -> Iterator[None]:
    """The block writes rows; then it is waited until they are in the bucket."""
    before = set(folder.rglob("*.ltx"))
    yield
    until(lambda: set(folder.rglob("*.ltx")) - before, "the upload")


@needs("litestream")
def test_restore_once(environment: dict[str, str], database: Path, tmp_path: Path) -> None:
    """The database is restored to the time before a bad migration, once."""
    bucket = tmp_path / "world" / "buckets"
    with running(environment), uploaded(bucket):
        execute(database, "INSERT INTO notes VALUES ('one')", "INSERT INTO notes VALUES ('two')")
        until(lambda: list(bucket.rglob(SNAPSHOTS)), "a first snapshot")
    time.sleep(1.1)  # restore times are in whole seconds
    before = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    time.sleep(1.1)
    with running(environment), uploaded(bucket):
        assert execute(database, "DELETE FROM notes") == 0

    with running(environment, RESTORE_TO=before), uploaded(bucket):
        assert execute(database, "INSERT INTO notes VALUES ('three')") == 3
    with running(environment, RESTORE_TO=before):  # A restart must not restore again.
        assert execute(database) == 3

    assert execute(database.parent / f"{database.name}.before-{before}" / database.name) == 0
    shutil.rmtree(database.parent)
    database.parent.mkdir()
    with running(environment, RESTORE_TO=before):  # Nor must a lost volume, with the line still in fly.toml.
        assert execute(database) == 3


@needs("litestream")
def test_lost_bucket(environment: dict[str, str]) -> None:
    """Litestream finds no replica: the server does not start in place of a lost volume."""
    refused = subprocess.run(
        ["sh", FILES / "with-replica", "echo", "the server"],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "RESTORE_REQUIRED": "1"},
    )

    assert (refused.returncode, refused.stdout) == (78, "")
    assert "cannot be restored from bucket solos-backup" in refused.stderr


def test_without_bucket(tmp_path: Path) -> None:
    """Without a bucket only the server runs."""
    done = subprocess.run(
        ["sh", FILES / "with-replica", "echo", "the server"], capture_output=True, text=True, check=True, env={}
    )

    assert done.stdout == "the server\n"
