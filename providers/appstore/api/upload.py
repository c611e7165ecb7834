"""Sends a file to the addresses that App Store Connect reserves for it (app-store-connect.md, section 13).

Parts go out in parallel, each streamed from disk in pieces, so that memory does not grow with the file. A part that fails is
read again and sent again. Addresses expire: then fresh ones are fetched, or reserved when Apple gives no fresh ones. The
storage gets exactly the headers that Apple names, and never our token.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from providers import http, waiting
from providers.appstore.api.client import AppStore, Entity
from providers.appstore.api.errors import AppStoreError
from providers.errors import ProviderError, Unreachable

if TYPE_CHECKING:
    import httpx

PARALLEL_PARTS = 4
PIECE = 1 << 20
"""Bytes read at a time. Memory in use is about this, times the parallel parts, times two."""
PART_ATTEMPTS = 6
RENEWALS = 5
"""How often expired addresses are renewed before we give up."""
EXPIRY_MARGIN_SECONDS = 30.0
SECONDS = {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": None}
"""How long each of these may take, of one attempt at one part."""


@dataclass(frozen=True)
class Part:
    """One range of the file and where it goes. `expires` is in seconds since 1970."""

    method: str
    url: str
    offset: int
    length: int
    headers: tuple[tuple[str, str], ...]
    expires: float

    @property
    def range(self) -> tuple[int, int]:
        return self.offset, self.length

    @property
    def origin(self) -> str:
        address = urlsplit(self.url)
        return f"{address.scheme}://{address.netloc}"


def deliver(store: AppStore, upload_id: str, path: Path, name: str, progress: Callable[[str], None]) -> None:
    """Send the file at `path` as the asset `name` of a build upload, and commit it. Taken up again after any interruption.

    Raises ProviderError when the storage refuses a part, Unreachable when it cannot be reached for long.
    """
    size = path.stat().st_size
    known = _list_files(store, upload_id)
    file = _last_named(known, name) or _reserve_file(store, upload_id, name, size, known)
    sent: set[tuple[int, int]] = set()
    meter = _Meter(size, progress)
    for _ in range(RENEWALS):
        try:
            _send_parts(path, _parts(file, size), sent, meter)
            return _commit(store, upload_id, file, name)
        except _Expired:
            fresh = store.get(f"/v1/buildUploadFiles/{file.id}", doing=f"renew the upload addresses of {name}")
            if fresh is None or any(_is_expired(part) for part in _parts(fresh, size)):
                fresh = _reserve_file(store, upload_id, name, size, _list_files(store, upload_id))
                sent.clear()
                meter.restart()
            file = fresh
    raise Unreachable(
        f"cannot upload {name}: its upload addresses expired {RENEWALS} times in a row; run up again later"
    )


class _Expired(Exception):
    """The upload addresses are not valid any more."""


class _Meter:
    """Counts what has been sent, over all threads, and shows it."""

    def __init__(self, size: int, show: Callable[[str], None]) -> None:
        self._size = size
        self._show = show
        self._sent = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._sent += count
            self._show(
                f"uploaded {self._sent / 1e6:.1f} of {self._size / 1e6:.1f} MB ({self._sent * 100 // self._size} %)"
            )

    def restart(self) -> None:
        with self._lock:
            self._sent = 0


def _list_files(store: AppStore, upload_id: str) -> list[Entity]:
    return store.list_all(f"/v1/buildUploads/{upload_id}/buildUploadFiles", doing="look up what has been uploaded")


def _last_named(files: list[Entity], name: str) -> Entity | None:
    named = [file for file in files if file["fileName"] == name and file["assetType"] == "ASSET"]
    return named[-1] if named else None


def _reserve_file(store: AppStore, upload_id: str, name: str, size: int, known: list[Entity]) -> Entity:
    """A new file of the upload, which has had those `known` so far."""
    ids = {file.id for file in known}

    def new() -> Entity | None:
        return _last_named([file for file in _list_files(store, upload_id) if file.id not in ids], name)

    return store.create(
        "buildUploadFiles",
        {"assetType": "ASSET", "fileName": name, "fileSize": size, "uti": "com.apple.ipa"},
        {"buildUpload": ("buildUploads", upload_id)},
        doing=f"reserve the upload of {name}",
        find=new,
    )


def _parts(file: Entity, size: int) -> list[Part]:
    parts = [
        Part(
            method=str(operation["method"]),
            url=str(operation["url"]),
            offset=int(operation["offset"]),
            length=int(operation["length"]),
            headers=tuple((header["name"], header["value"]) for header in operation.get("requestHeaders") or ()),
            expires=_seconds(operation.get("expiration")),
        )
        for operation in file["uploadOperations"] or ()
    ]
    parts.sort(key=lambda part: part.offset)
    end = 0
    for part in parts:
        if part.offset != end:
            break
        end += part.length
    if end != size:
        raise ProviderError(
            f"App Store Connect asks for {len(parts)} parts that do not make up the {size} bytes of {file['fileName']}; "
            "run up again, and if it stays so, report it to Apple"
        )
    return parts


def _send_parts(path: Path, parts: list[Part], sent: set[tuple[int, int]], meter: _Meter) -> None:
    """Send the ranges that are not in `sent`, and put them there."""
    transports = {origin: http.make_transport(origin) for origin in {part.origin for part in parts}}
    descriptor = os.open(path, os.O_RDONLY)
    failed = threading.Event()

    def send(part: Part) -> None:
        if failed.is_set():
            return
        try:
            _send_part(transports[part.origin], descriptor, part, meter)
            sent.add(part.range)
        except BaseException:
            failed.set()  # the others end after the part they are at
            raise

    try:
        with ThreadPoolExecutor(PARALLEL_PARTS, thread_name_prefix="upload") as threads:
            for result in [threads.submit(send, part) for part in parts if part.range not in sent]:
                result.result()
    finally:
        os.close(descriptor)
        for transport in transports.values():
            transport.close()


def _send_part(transport: "httpx.BaseTransport", descriptor: int, part: Part, meter: _Meter) -> None:
    import httpx

    trouble = ""
    for attempt in range(PART_ATTEMPTS):
        if _is_expired(part):
            raise _Expired
        counted = 0

        def pieces() -> Iterator[bytes]:
            nonlocal counted
            for piece in _range(descriptor, part.offset, part.length):
                yield piece
                counted += len(piece)
                meter.add(len(piece))

        # Without a client: that adds headers of its own, and the signature of the address covers exactly Apple's.
        headers = httpx.Headers({"Content-Length": str(part.length)})
        headers.update(dict(part.headers))
        request = httpx.Request(
            part.method, part.url, headers=headers, content=pieces(), extensions={"timeout": SECONDS}
        )
        try:
            response = transport.handle_request(request)
            response.read()
        except httpx.TransportError as error:
            trouble = f"the connection broke ({type(error).__name__})"
        else:
            if response.is_success:
                return
            if response.status_code == 403:
                raise _Expired
            trouble = f"the storage answered HTTP {response.status_code}"
            if response.status_code not in (408, 429) and response.status_code < 500:
                raise ProviderError(f"cannot upload the bytes from {part.offset} on: {trouble}; run up again")
        meter.add(-counted)
        waiting.clock.sleep(waiting.backoff(attempt))
    raise Unreachable(
        f"cannot upload the bytes from {part.offset} on: {trouble}, {PART_ATTEMPTS} times; run up again, what is there stays"
    )


def _range(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    end = offset + length
    while offset < end:
        piece = os.pread(descriptor, min(PIECE, end - offset), offset)
        if not piece:
            raise ProviderError("the IPA became shorter while it was uploaded: build it, and run up again")
        offset += len(piece)
        yield piece


def _commit(store: AppStore, upload_id: str, file: Entity, name: str) -> None:
    """Say that all parts are there. No checksums: Apple refuses them after the upload (botiverse/hands #199)."""

    def committed() -> Entity | None:
        upload = store.get(f"/v1/buildUploads/{upload_id}", doing=f"look whether {name} arrived", include="assetFile")
        return upload if upload and is_committed(upload) else None

    try:
        store.update(file, {"uploaded": True}, doing=f"commit the upload of {name}", done=committed)
    except AppStoreError as error:
        if error.status != 409 or committed() is None:
            raise


def is_committed(upload: Entity) -> bool:
    """Whether Apple has all bytes of a build upload. The file (if the answer includes it) knows it before the upload does."""
    file = upload.related("assetFile")
    received = ((file and file["assetDeliveryState"]) or {}).get("state") in ("UPLOAD_COMPLETE", "COMPLETE")
    return received or upload_state(upload) in ("PROCESSING", "COMPLETE", "FAILED")


def is_delivered(upload: Entity) -> bool:
    """Whether a build upload holds its build number: Apple has all bytes, and has not refused them."""
    return is_committed(upload) and upload_state(upload) != "FAILED"


def upload_state(upload: Entity) -> str:
    """AWAITING_UPLOAD, PROCESSING, COMPLETE or FAILED. Apple sends an object (asc PR #121)."""
    return str((upload["state"] or {}).get("state") or "")


def _is_expired(part: Part) -> bool:
    return part.expires - waiting.clock.wall() < EXPIRY_MARGIN_SECONDS


def _seconds(expiration: str | None) -> float:
    return datetime.fromisoformat(expiration).timestamp() if expiration else float("inf")
