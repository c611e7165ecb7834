"""The storage behind App Store Connect: presigned URLs for the parts of a file.

A URL is valid for one part of one file until it expires. It accepts exactly the announced headers and number of bytes, and refuses a
bearer token, as S3 does.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.context import Context
from rehearsal.cloud.service import Service, route
from rehearsal.cloud.store import Document

CONTENT_TYPE = "application/octet-stream"
PIECE = 1 << 20


@dataclass(frozen=True)
class Part:
    number: int
    offset: int
    length: int


class Storage(Service):
    name: ClassVar[str] = "storage"
    journaled: ClassVar[bool] = False
    """Parts are too large for the journal: `put_part` writes entries without the bytes."""

    @route("PUT", "/<file>/<int:number>")
    def put_part(self, request: Request, file: str, number: int) -> Any:
        status, code = self._take(request, file, number)
        self.context.journal.write(
            {
                "service": self.name,
                "method": "PUT",
                "path": request.path,
                "query": {},
                "request": f"{request.content_length} bytes",
                "status": status,
                "response": code or None,
                "at": self.context.clock.now(),
                "fault": None,
            }
        )
        text = f"<Error><Code>{code}</Code></Error>" if code else ""
        return Response(text, status, content_type="application/xml")

    def _take(self, request: Request, file: str, number: int) -> tuple[int, str]:
        record = self.store.get("appstore.buildUploadFiles", file)
        part = next((part for part in parts(record) if part.number == number), None) if record else None
        if part is None:
            return 404, "NoSuchKey"
        expires = request.args.get("expires", "")
        if not hmac.compare_digest(request.args.get("signature", ""), _signature(self.context, file, number, expires)):
            return 403, "SignatureDoesNotMatch"
        if self.context.clock.now() >= float(expires):
            return 403, "AccessDenied"
        if "Authorization" in request.headers:
            return 400, "InvalidArgument"
        if request.headers.get("Content-Type") != CONTENT_TYPE:
            return 403, "SignatureDoesNotMatch"
        if request.content_length != part.length:
            return 400, "IncompleteBody"
        received = _write(content(self.context, file), request, part)
        if received != part.length:
            return 400, "IncompleteBody"
        self.store.put("appstore.parts", f"{file}/{number}", {"length": received})
        return 200, ""


def parts(file: Document) -> list[Part]:
    """The parts of a file."""
    size, each = file["attributes"]["fileSize"], file["part_bytes"]
    offsets = range(0, size, each)
    return [Part(index + 1, offset, min(each, size - offset)) for index, offset in enumerate(offsets)]


def has(context: Context, file: Document, part: Part) -> bool:
    return context.store.get("appstore.parts", f"{file['id']}/{part.number}") is not None


def operations(context: Context, file: Document) -> list[Document]:
    """The `uploadOperations` of a file. They do not change after the reservation, even if they expire."""
    expires = int(file["made"] + context.delays.url_lifetime)
    return [
        {
            "method": "PUT",
            "url": _address(context, file["id"], part.number, expires),
            "offset": part.offset,
            "length": part.length,
            "partNumber": part.number,
            "requestHeaders": [{"name": "Content-Type", "value": CONTENT_TYPE}],
            "expiration": datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z"),
        }
        for part in parts(file)
    ]


def content(context: Context, file: str) -> Path:
    """The file with the received bytes."""
    folder = context.files / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / file


def discard(context: Context, file: Document) -> None:
    content(context, file["id"]).unlink(missing_ok=True)
    for part in parts(file):
        context.store.delete("appstore.parts", f"{file['id']}/{part.number}")


def _write(path: Path, request: Request, part: Part) -> int:
    """Write the body at its offset in the file. Returns the number of bytes. Parts are written in parallel."""
    received = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while piece := request.stream.read(min(PIECE, part.length - received)):
            received += os.pwrite(descriptor, piece, part.offset + received)
    finally:
        os.close(descriptor)
    return received


def _address(context: Context, file: str, number: int, expires: int) -> str:
    query = {"expires": expires, "signature": _signature(context, file, number, str(expires))}
    return f"{context.addresses[Storage.name]}/{file}/{number}?{urlencode(query)}"


def _signature(context: Context, file: str, number: int, expires: str) -> str:
    with context.store.transaction():
        held = context.store.get("appstore.settings", "storage")
        key = held or context.store.put("appstore.settings", "storage", {"key": secrets.token_hex(32)})
    return hmac.new(key["key"].encode(), f"{file}/{number}/{expires}".encode(), hashlib.sha256).hexdigest()
