"""The state of the doubles: JSON documents in one SQLite file."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

Document = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY, body TEXT);
"""


class Store:
    """Documents by kind and key. Thread-safe. A `transaction` is atomic, even if the process is killed in it."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the SQLite file, or None to keep everything in memory."""
        self._connection = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None, cached_statements=64
        )
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Lock the store; an exception rolls back every write. Can be nested."""
        with self._lock:
            self._depth += 1
            try:
                yield
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def put(self, kind: str, key: str, body: Document) -> Document:
        with self.transaction():
            self._write("REPLACE INTO documents VALUES (?, ?, ?)", kind, key, _text(body))
        return body

    def get(self, kind: str, key: str) -> Document | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        return _document(row[0]) if row else None

    def all(self, kind: str, **having: Any) -> list[Document]:
        """The documents of a kind whose fields equal `having`, sorted by key."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY key", (kind,)
            ).fetchall()
        documents = [_document(row[0]) for row in rows]
        return [body for body in documents if all(body.get(name) == value for name, value in having.items())]

    def delete(self, kind: str, key: str) -> None:
        with self.transaction():
            self._write("DELETE FROM documents WHERE kind = ? AND key = ?", kind, key)

    def count(self, name: str) -> int:
        """Increment a counter; the first value is 1."""
        with self.transaction():
            row = self._write(
                "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                name,
            ).fetchone()
        return int(row[0])

    def append_journal(self, body: Document) -> None:
        with self.transaction():
            self._write("INSERT INTO journal (body) VALUES (?)", _text(body))

    def read_journal(self) -> list[Document]:
        with self._lock:
            rows = self._connection.execute("SELECT body FROM journal ORDER BY number").fetchall()
        return [_document(row[0]) for row in rows]

    def _write(self, statement: str, *values: str) -> sqlite3.Cursor:
        """Inside a `transaction`, whose SQLite transaction begins with its first write: most have none."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute(statement, values)

    def copy_from(self, other: "Store") -> None:
        """Replace the content by that of another store."""
        with other._lock, self._lock:
            other._connection.backup(self._connection)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _text(body: Document) -> str:
    """JSON, written by msgspec: the json module takes a sixth of the fault matrix."""
    return msgspec.json.encode(body).decode()


def _document(text: str) -> Document:
    document: Document = msgspec.json.decode(text)
    return document
