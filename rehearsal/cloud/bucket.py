"""An S3-compatible store with what a database replica needs: put, get, list and delete. Signatures are not checked.

Every bucket name exists. Objects are files, so they outlive apps, volumes and the process of the doubles.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.context import Context
from rehearsal.cloud.fly.formats import rfc3339
from rehearsal.cloud.service import Service, route

MAX_KEYS = 1000
KEY = re.compile(r"<Key>([^<]*)</Key>")


class Bucket(Service):
    """`/{bucket}/{key}`, path style."""

    name: ClassVar[str] = "bucket"
    journaled: ClassVar[bool] = False  # only machines call it, not the program

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._folder = context.files / "buckets"

    @route("PUT", "/<bucket>/<path:key>")
    def put_object(self, request: Request, bucket: str, key: str) -> Any:
        content = request.get_data()
        if "aws-chunked" in request.headers.get("Content-Encoding", ""):
            content = b"".join(_chunks(content))
        path = self._path(bucket, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.rename(path)
        return Response(b"", 200, {"ETag": _etag(content)})

    @route("GET", "/<bucket>/<path:key>")
    def get_object(self, request: Request, bucket: str, key: str) -> Any:
        path = self._path(bucket, key)
        if not path.exists():
            return _error(404, "NoSuchKey")
        content = path.read_bytes()
        headers = {"ETag": _etag(content), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Accept-Ranges": "bytes"}
        byte_range = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if not byte_range:
            return Response(content, 200, headers, content_type="application/octet-stream")
        first, last = int(byte_range[1]), min(int(byte_range[2] or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return Response(content[first : last + 1], 206, headers, content_type="application/octet-stream")

    @route("HEAD", "/<bucket>/<path:key>")
    def head_object(self, request: Request, bucket: str, key: str) -> Any:
        path = self._path(bucket, key)
        if not path.exists():
            return Response(b"", 404)
        return Response(b"", 200, {"ETag": _etag(path.read_bytes()), "Content-Length": str(path.stat().st_size)})

    @route("DELETE", "/<bucket>/<path:key>")
    def delete_object(self, request: Request, bucket: str, key: str) -> Any:
        self._path(bucket, key).unlink(missing_ok=True)
        return Response(b"", 204)

    @route("POST", "/<bucket>")
    @route("POST", "/<bucket>/")
    def delete_objects(self, request: Request, bucket: str) -> Any:
        keys = KEY.findall(request.get_data(as_text=True))
        for key in keys:
            self._path(bucket, key).unlink(missing_ok=True)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return _xml("DeleteResult", deleted)

    @route("GET", "/<bucket>")
    @route("GET", "/<bucket>/")
    def list_objects(self, request: Request, bucket: str) -> Any:
        """ListObjectsV2; common prefixes only with a delimiter."""
        prefix, delimiter = request.args.get("prefix", ""), request.args.get("delimiter", "")
        after = unquote(request.args.get("continuation-token", "")) or request.args.get("start-after", "")
        keys = [key for key in self._keys(bucket) if key.startswith(prefix) and key > after]
        page, prefixes = keys[: int(request.args.get("max-keys", MAX_KEYS))], set()
        contents = ""
        for key in page:
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if found:
                prefixes.add(prefix + head + delimiter)
                continue
            path = self._path(bucket, key)
            modified = rfc3339(path.stat().st_mtime)
            contents += f"<Contents><Key>{escape(key)}</Key><LastModified>{modified}</LastModified>"
            contents += f"<ETag>{escape(_etag(path.read_bytes()))}</ETag><Size>{path.stat().st_size}</Size></Contents>"
        contents += "".join(
            f"<CommonPrefixes><Prefix>{escape(candidate)}</Prefix></CommonPrefixes>" for candidate in sorted(prefixes)
        )
        more = len(page) < len(keys)
        token = f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>" if more else ""
        about = f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        return _xml("ListBucketResult", f"{about}<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}")

    def _keys(self, bucket: str) -> list[str]:
        folder = self._folder / quote(bucket, safe="")
        return (
            sorted(unquote(path.name) for path in folder.glob("*") if path.suffix != ".part") if folder.exists() else []
        )

    def _path(self, bucket: str, key: str) -> Path:
        return self._folder / quote(bucket, safe="") / quote(key, safe="")


def _chunks(body: bytes) -> Iterator[bytes]:
    """The payload of an `aws-chunked` body: each chunk is preceded by its length in hexadecimal; the last one is empty."""
    while body:
        head, _, body = body.partition(b"\r\n")
        length = int(head.partition(b";")[0] or b"0", 16)
        if not length:
            return
        yield body[:length]
        body = body[length + 2 :]


def _etag(content: bytes) -> str:
    return f'"{base64.b16encode(hashlib.sha256(content).digest()[:16]).decode().lower()}"'


def _xml(root: str, inner: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</{root}>'
    return Response(text, 200, content_type="application/xml")


def _error(status: int, code: str) -> Response:
    return Response(
        f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status, content_type="application/xml"
    )
