"""An upload that is killed at any byte: the next `up` completes it, with one upload and one build."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.inprocess import Doubles, copy_of, route_to
from providers.errors import Unexpected
from rehearsal.cloud.world import World
from tests.appstore.apple_side import AppleSide, held
from tests.appstore.journeys import nothing_yet
from tests.fault_transport import Killed

PART_BYTES = 1200
WHOLE = {"uploads": [("0", "COMPLETE")], "bytes": [True], "builds": [("0", "VALID", False)]}
"""With one build, which has not expired."""


class CutOff(httpx.BaseTransport):
    """The transport to the doubles, which kills the process after a number of bytes to the storage."""

    def __init__(self, world: World, dies_after: int) -> None:
        self._doubles, self._left, self._dead, self._lock = Doubles(world), dies_after, False, threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "storage.test":
            if self._dead:
                raise Killed
            return self._doubles.handle_request(request)
        body = request.read()
        with self._lock:
            sent, self._left = body[: self._left], max(0, self._left - len(body))
            self._dead = self._dead or len(sent) < len(body) or not self._left
        # The announced length does not change.
        response = self._doubles.handle_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=sent)
        )
        if self._dead:
            raise Killed
        return response


def test_upload_resumed(settings: dict[str, Any], world: World) -> None:
    """Killed at any byte, the next run continues it."""
    before = nothing_yet(world, settings)
    size = Path(before.builds["0"]["ipa"]).stat().st_size
    boundaries = {at + aside for at in range(0, size, PART_BYTES) for aside in (-1, 0, 1)}
    moments = sorted({*boundaries, *range(0, size, 61), size - 1, size} - {-1})

    failures = {at: found for at in moments if (found := interrupted(before, world, at)) != WHOLE}

    assert len(moments) > 40
    assert not failures


def interrupted(before: AppleSide, world: World, at: int) -> dict[str, Any]:
    """The uploads and builds after an `up` that is killed at this byte, and a second `up`."""
    copy = copy_of(world)
    testflight = before.copy(copy)
    with pytest.MonkeyPatch.context() as patch:
        route_to(patch, copy, CutOff(copy, at))
        with pytest.raises(Unexpected, match="Killed"):  # as the adapter reports it
            testflight.up()
        route_to(patch, copy, Doubles(copy))
        testflight.up()
        found = held(copy)
    copy.close()
    return {kind: found[kind] for kind in WHOLE}
