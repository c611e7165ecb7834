"""Stores snapshots like the CLI's file backend: `.pulumi/stacks/<project>/<stack>.json`, saved atomically after each step, with a
lock file."""

import getpass
import hashlib
import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from project.config import DecryptedStack
from project.crypter import Crypter
from project.files import BadProject, create_private
from project.state import REHEARSAL_BACKEND, SECRET, SIGNATURE, backend_folder, state_file
from rehearsal.engine.snapshot import Entry, Snapshot, now
from rehearsal.engine.values import Secret
from rehearsal.processes import is_alive

VERSION = "3.0.0-rehearsal"
"""The engine version in the manifest."""
FIELDS = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "external": "external",
    "dependencies": "dependencies",
    "initErrors": "init_errors",
    "provider": "provider",
    "propertyDependencies": "property_dependencies",
    "pendingReplacement": "pending_replacement",
    "additionalSecretOutputs": "additional_secret_outputs",
    "retainOnDelete": "retain_on_delete",
    "deletedWith": "deleted_with",
    "created": "created",
    "modified": "modified",
}
"""Names in the state file, and the fields of `Entry`."""
ALWAYS_WRITTEN = ("urn", "custom", "type")


class Locked(Exception):
    """Another run holds the lock of the stack."""


class Backend:
    """The file of one stack."""

    def __init__(self, stack: DecryptedStack, url: str | None = None) -> None:
        """`url` defaults to `PULUMI_BACKEND_URL`. Raises BadProject for a backend that is not a folder."""
        self.stack = stack
        self.root = root_of(stack.folder, url)
        self.path = state_file(self.root, stack.project, stack.name)
        self._lock: Path | None = None

    def load(self) -> Snapshot:
        """The saved snapshot; empty for a new stack."""
        if not self.path.exists():
            return Snapshot()
        deployment = json.loads(self.path.read_text())["checkpoint"]["latest"] or {}
        pending = deployment.get("pending_operations") or []
        return Snapshot(
            (_read_entry(data, self.stack.crypter) for data in deployment.get("resources") or []),
            [(operation["type"], _read_entry(operation["resource"], self.stack.crypter)) for operation in pending],
        )

    def save(self, snapshot: Snapshot) -> None:
        """Replace the file atomically: after a kill it is the old one or the new one."""
        with snapshot.lock:
            checkpoint = {
                "stack": f"organization/{self.stack.project}/{self.stack.name}",
                "latest": self.deployment(snapshot),
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            meta = self.root / "meta.yaml"
            if not meta.exists():
                meta.write_text("version: 1\n")
            draft = self.path.with_suffix(".new")
            with create_private(draft) as file:
                file.write(json.dumps({"version": 3, "checkpoint": checkpoint}))  # json.dump encodes in Python
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)

    def deployment(self, snapshot: Snapshot) -> dict[str, Any]:
        """The snapshot in the CLI's format, secrets encrypted."""
        crypter = self.stack.crypter
        deployment: dict[str, Any] = {
            "manifest": {"time": now(), "magic": hashlib.sha256(VERSION.encode()).hexdigest(), "version": VERSION},
            "secrets_providers": {"type": "passphrase", "state": {"salt": crypter.salt}},
            "resources": [_written(entry, crypter) for entry in snapshot],
            "metadata": {},
        }
        if snapshot.pending:
            deployment["pending_operations"] = [
                {"resource": _written(entry, crypter), "type": kind} for kind, entry in snapshot.pending
            ]
        return deployment

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the stack, for the CLI too. Takes over the lock of a dead process on this machine. Raises Locked."""
        folder = self.root / "locks" / "organization" / self.stack.project / self.stack.name
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.glob("*.json"):
            holder = json.loads(other.read_text())
            if holder["hostname"] == socket.gethostname() and not is_alive(holder["pid"]):
                other.unlink(missing_ok=True)
                continue
            raise Locked(
                f"stack {self.stack.name} is locked by process {holder['pid']} of {holder['username']} on "
                f"{holder['hostname']} since {holder['timestamp']}: wait for it, or delete {other} if that process no longer runs"
            )
        self._lock = folder / f"{uuid.uuid4()}.json"
        holder = {"pid": os.getpid(), "username": getpass.getuser(), "hostname": socket.gethostname()}
        self._lock.write_text(json.dumps({**holder, "timestamp": datetime.now(UTC).isoformat()}))
        try:
            yield
        finally:
            self.unlock()

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.unlink(missing_ok=True)


def root_of(project: Path, url: str | None = None) -> Path:
    """The `.pulumi` folder of the backend; `url` defaults to `PULUMI_BACKEND_URL`, then to a folder of the project.

    Raises BadProject for a backend that is not a folder."""
    url = url or os.environ.get("PULUMI_BACKEND_URL") or (project / REHEARSAL_BACKEND).absolute().as_uri()
    root = backend_folder(url)
    if root is None:
        raise BadProject(
            f"the embedded engine keeps state in files only, not at {url}: set PULUMI_BACKEND_URL=file://…"
        )
    return root


def _read_entry(data: Mapping[str, Any], crypter: Crypter) -> Entry:
    known = {ours: data[theirs] for theirs, ours in FIELDS.items() if data.get(theirs) is not None}
    for name in ("inputs", "outputs"):
        known[name] = _decrypted(known.get(name) or {}, crypter)
    known["property_dependencies"] = {key: urns or [] for key, urns in known.get("property_dependencies", {}).items()}
    return Entry(**known, others={key: value for key, value in data.items() if key not in FIELDS})


def _written(entry: Entry, crypter: Crypter) -> dict[str, Any]:
    values = {theirs: getattr(entry, ours) for theirs, ours in FIELDS.items()}
    written = {key: value for key, value in values.items() if value or key in ALWAYS_WRITTEN}
    for name in ("inputs", "outputs"):
        if name in written:
            written[name] = _stored(written[name], crypter)
    return {**written, **entry.others}


def _stored(value: Any, crypter: Crypter | None) -> Any:
    """A value as the CLI stores it: secrets encrypted, or opened without a crypter, and whole numbers as `3`, not `3.0`."""
    if isinstance(value, dict):
        return {key: _stored(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [_stored(item, crypter) for item in value]
    if isinstance(value, Secret):
        opened = _stored(value.value, None)
        return {SIGNATURE: SECRET, "ciphertext": crypter.encrypt(json.dumps(opened))} if crypter else opened
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _decrypted(value: Any, crypter: Crypter) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return Secret(json.loads(crypter.decrypt(value["ciphertext"])))
        return {key: _decrypted(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [_decrypted(item, crypter) for item in value]
    return value
