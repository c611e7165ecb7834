"""Sends a file to the addresses that App Store Connect reserves for it
(https://developer.apple.com/documentation/appstoreconnectapi/uploading-assets-to-app-store-connect).

Parts are sent in parallel, each streamed from disk in pieces, so memory does not grow with the file. A part that fails is read and
sent again. Addresses expire: the upload then fetches fresh ones, or reserves a new file when Apple returns none. The storage gets
exactly the headers that Apple names, and never our token.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from providers import http, waiting
from providers.appstore.api.client import AppStore
from providers.appstore.api.errors import AppStoreError
from providers.appstore.api.objects import BuildUpload, BuildUploadFile
from providers.decoding import is_web_page
from providers.errors import ErrorText, Unreachable

if TYPE_CHECKING:
    import httpx

PARALLEL_PARTS = 4
PIECE = 1 << 20
"""Bytes read at a time. Memory in use is about twice this for each parallel part."""
PART_ATTEMPTS = 6
RENEWALS = 5
"""How often expired addresses are renewed before the upload fails."""
EXPIRY_MARGIN_SECONDS = 30.0
ATTEMPT_SECONDS = 60.0
SECONDS = {"connect": 10.0, "read": ATTEMPT_SECONDS, "write": ATTEMPT_SECONDS, "pool": None}
"""Timeouts of one attempt to send one part."""

WRONG_PARTS = ErrorText(
    "App Store Connect asks for {count} parts that do not add up to the {size} bytes of {name}",
    remedy="run `pulumi up` again; if it fails again, report it to Apple",
)
ADDRESSES_EXPIRE = ErrorText(
    "cannot upload {name}: its upload addresses expired {times} times in a row",
    remedy="run `pulumi up` again later",
    error=Unreachable,
)
PART_REFUSED = ErrorText(
    "cannot upload the bytes from offset {offset}: the storage returned HTTP {status}", remedy="run `pulumi up` again"
)
PART_FAILED = ErrorText(
    "cannot upload the bytes from offset {offset}: {fault}, {times} times",
    remedy="run `pulumi up` again; the parts that are there are not sent again",
    error=Unreachable,
)
FILE_SHORTENED = ErrorText(
    "the IPA became shorter while it was uploaded", remedy="build it, then run `pulumi up` again"
)


class Part(msgspec.Struct, frozen=True):
    """One range of the file and the request that sends it. `expires` is in seconds since 1970."""

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


def deliver(
    store: AppStore, upload_id: str, path: Path, name: str, progress: Callable[[str], None], *, is_new: bool = False
) -> None:
    """Send the file at `path` as the asset `name` of a build upload, and commit it. After an interruption, call it again.
    An upload that `is_new` has no files yet, so none are looked up.

    Raises ProviderError when the storage refuses a part, Unreachable when it keeps failing.
    """
    size = path.stat().st_size
    known = [] if is_new else _list_files(store, upload_id)
    file = _last_named(known, name) or _reserve_file(store, upload_id, name, size, known)
    sent: set[tuple[int, int]] = set()
    meter = _Meter(size, progress)
    for _ in range(RENEWALS):
        try:
            _send_parts(path, _parts(file, size), sent, meter)
            return _commit(store, upload_id, file, name)
        except _Expired:
            fresh = store.get(BuildUploadFile, file.id, doing=f"renew the upload addresses of {name}")
            if fresh is None or any(_is_expired(part) for part in _parts(fresh, size)):
                fresh = _reserve_file(store, upload_id, name, size, _list_files(store, upload_id))
                sent.clear()
                meter.restart()
            file = fresh
    raise ADDRESSES_EXPIRE(name=name, times=RENEWALS)


class _Expired(Exception):
    """The upload addresses have expired."""


class _Meter:
    """Counts the bytes sent by all threads, and shows the progress."""

    def __init__(self, size: int, show: Callable[[str], None]) -> None:
        self._size = size
        self._show = show
        self._sent = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._sent += count
            self._show(f"{self._sent / 1e6:.1f} of {self._size / 1e6:.1f} MB ({self._sent * 100 // self._size} %)")

    def restart(self) -> None:
        with self._lock:
            self._sent = 0


def _list_files(store: AppStore, upload_id: str) -> list[BuildUploadFile]:
    return store.list_all(BuildUploadFile, of=BuildUpload.ref(upload_id), doing="look up what has been uploaded")


def _last_named(files: list[BuildUploadFile], name: str) -> BuildUploadFile | None:
    named = [file for file in files if file.file_name == name and file.asset_type == "ASSET"]
    return named[-1] if named else None


def _reserve_file(
    store: AppStore, upload_id: str, name: str, size: int, known: list[BuildUploadFile]
) -> BuildUploadFile:
    """Add a file to the upload; `known` are the files that it has already."""
    ids = {file.id for file in known}

    def new() -> BuildUploadFile | None:
        return _last_named([file for file in _list_files(store, upload_id) if file.id not in ids], name)

    return store.create(
        BuildUploadFile,
        {
            "asset_type": "ASSET",
            "file_name": name,
            "file_size": size,
            "uti": "com.apple.ipa",
            "build_upload": BuildUpload.ref(upload_id),
        },
        doing=f"reserve the upload of {name}",
        find=new,
    )


def _parts(file: BuildUploadFile, size: int) -> list[Part]:
    parts = [
        Part(
            method=operation.method,
            url=operation.url,
            offset=operation.offset,
            length=operation.length,
            headers=tuple((header.name, header.value) for header in operation.request_headers),
            expires=operation.expiration.moment.timestamp() if operation.expiration else float("inf"),
        )
        for operation in file.upload_operations
    ]
    parts.sort(key=lambda part: part.offset)
    end = 0
    for part in parts:
        if part.offset != end:
            break
        end += part.length
    if end != size:
        raise WRONG_PARTS(count=len(parts), size=size, name=file.file_name)
    return parts


def _send_parts(path: Path, parts: list[Part], sent: set[tuple[int, int]], meter: _Meter) -> None:
    """Send the ranges that are not in `sent`, and add them to it."""
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
            failed.set()  # the other threads stop after their current part
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

    fault = ""
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

        # No httpx.Client here: it adds headers, and the signature in the address covers exactly Apple's.
        headers = httpx.Headers({"Content-Length": str(part.length)})
        headers.update(dict(part.headers))
        request = httpx.Request(
            part.method, part.url, headers=headers, content=pieces(), extensions={"timeout": SECONDS}
        )
        try:
            response = transport.handle_request(request)
            http.read_within(response, ATTEMPT_SECONDS)
        except httpx.RequestError as error:
            fault = f"the connection broke ({type(error).__name__})"
        else:
            is_page = response.is_success and is_web_page(response.content)
            if response.is_success and not is_page:
                return
            if response.status_code == 403:
                raise _Expired
            if response.status_code not in (408, 429) and response.status_code < 500 and not is_page:
                raise PART_REFUSED(offset=part.offset, status=response.status_code)
            fault = f"the storage returned {'a web page' if is_page else f'HTTP {response.status_code}'}"
        meter.add(-counted)
        waiting.clock.sleep(waiting.backoff(attempt))
    raise PART_FAILED(offset=part.offset, fault=fault, times=PART_ATTEMPTS)


def _range(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    end = offset + length
    while offset < end:
        piece = os.pread(descriptor, min(PIECE, end - offset), offset)
        if not piece:
            raise FILE_SHORTENED()
        offset += len(piece)
        yield piece


def _commit(store: AppStore, upload_id: str, file: BuildUploadFile, name: str) -> None:
    """Tell Apple that all parts are there. Without checksums, which Apple refuses after the upload
    (https://github.com/botiverse/hands/issues/199)."""

    def committed() -> BuildUploadFile | None:
        upload = store.get(BuildUpload, upload_id, doing=f"look whether {name} arrived", query={"include": "assetFile"})
        return file if upload and is_committed(upload) else None

    try:
        store.update(BuildUploadFile, file.id, {"uploaded": True}, doing=f"commit the upload of {name}", done=committed)
    except AppStoreError as error:
        if error.status != 409 or committed() is None:
            raise


def is_committed(upload: BuildUpload) -> bool:
    """Whether Apple has all bytes of a build upload. The state of the file, if the response includes it, changes first."""
    received = upload.asset_file and upload.asset_file.asset_delivery_state.state in ("UPLOAD_COMPLETE", "COMPLETE")
    return bool(received) or upload.state.state in ("PROCESSING", "COMPLETE", "FAILED")


def is_delivered(upload: BuildUpload) -> bool:
    """Whether Apple has all bytes of a build upload, and has not rejected them."""
    return is_committed(upload) and upload.state.state != "FAILED"


def _is_expired(part: Part) -> bool:
    return part.expires - waiting.clock.wall() < EXPIRY_MARGIN_SECONDS
