"""One upload in its own process, to measure its memory: `python -m bench.sender WAY`, with JSON on standard input.

`ours` is `providers.appstore.api.upload`; `bare` makes the same reservation and commit, and sends the same parts with the same
parallelism over plain sockets. Prints `{"seconds", "bytes_over_idle", "digest_seconds"}`. Idle memory is measured after all imports and
one call; the digest is what `Build` computes before an upload.
"""

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlsplit

from pulumi.dynamic import Config

from providers.appstore.api import upload
from providers.appstore.api.client import AppStore
from providers.appstore.api.objects import App, BuildUpload, BuildUploadFile, UploadOperation
from providers.appstore.ipa import reader

NAME = "bench.ipa"
STATUS = Path("/proc/self/status")


def main(way: str) -> None:
    given = json.load(sys.stdin)
    store = AppStore(Config(given["config"], "solos"))
    reserved = store.create(
        BuildUpload,
        {
            "cf_bundle_short_version_string": "1.0.0",
            "cf_bundle_version": given["version"],
            "platform": "IOS",
            "app": App.ref(given["app"]),
        },
        doing="reserve",
        find=lambda: None,
    )
    path = Path(given["ipa"])
    send = {"ours": _ours, "bare": _bare}[way](store, reserved.id, path)
    idle = _memory()
    began = time.monotonic()
    send()
    sent = time.monotonic()
    reader.sha256(path)
    found = {"seconds": sent - began, "digest_seconds": time.monotonic() - sent}
    print(json.dumps({**found, "bytes_over_idle": _peak() - idle}))


def _ours(store: AppStore, upload_id: str, path: Path) -> Any:
    return lambda: upload.deliver(store, upload_id, path, NAME, lambda text: None)


def _bare(store: AppStore, upload_id: str, path: Path) -> Any:
    size = path.stat().st_size
    descriptor, mine = os.open(path, os.O_RDONLY), local()

    def put(part: UploadOperation) -> None:
        address = urlsplit(part.url)
        if not hasattr(mine, "connection"):
            mine.connection = HTTPConnection(address.netloc, timeout=60)
        mine.connection.putrequest(part.method, f"{address.path}?{address.query}", skip_accept_encoding=True)
        for header in part.request_headers:
            mine.connection.putheader(header.name, header.value)
        mine.connection.putheader("Content-Length", str(part.length))
        mine.connection.endheaders()
        offset, end = part.offset, part.offset + part.length
        while offset < end:
            piece = os.pread(descriptor, min(upload.PIECE, end - offset), offset)
            mine.connection.send(piece)
            offset += len(piece)
        response = mine.connection.getresponse()
        response.read()
        assert response.status == 200, response.status

    def send() -> None:
        file = store.create(
            BuildUploadFile,
            {
                "asset_type": "ASSET",
                "file_name": NAME,
                "file_size": size,
                "uti": "com.apple.ipa",
                "build_upload": BuildUpload.ref(upload_id),
            },
            doing="reserve",
            find=lambda: None,
        )
        with ThreadPoolExecutor(upload.PARALLEL_PARTS) as threads:
            list(threads.map(put, file.upload_operations))
        store.update(BuildUploadFile, file.id, {"uploaded": True}, doing="commit")

    return send


def _memory() -> int:
    """Current memory in bytes; the peak where the system does not report it."""
    return _from_status("VmRSS") if STATUS.exists() else _peak()


def _peak() -> int:
    """Peak memory in bytes. On Linux `ru_maxrss` includes the parent process, so read it from /proc."""
    if STATUS.exists():
        return _from_status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _from_status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1])
