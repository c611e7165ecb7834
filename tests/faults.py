"""Everything that can happen to one API call, and the process that makes it: the points of the fault matrix.

A run is one process. It counts its calls to all vendors; at the call with the chosen number the chosen peril strikes.
"""

import re
import threading
from typing import Literal, get_args

import httpx

from harness.inprocess import Doubles
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World

Peril = Literal["killed_before", "killed_after", "denied", "outage"] | Kind
PERILS: tuple[Peril, ...] = ("killed_before", "killed_after", "denied", "outage", *get_args(Kind))
"""killed: the process ends, before or after the call has acted. denied: refused for a reason that does not pass. outage: no
connection from here on. Then those of the doubles: refused and lost before and after acting, hanging, throttled."""


class Killed(BaseException):
    """The process is gone. No `except Exception` sees it, and no `finally` reaches a vendor any more."""


class Perilous(httpx.BaseTransport):
    """The way to the doubles for one run. Without a peril it only counts."""

    def __init__(self, world: World, peril: Peril | None = None, strikes_at: int = 0) -> None:
        self._world, self._doubles, self.peril, self._strikes_at = world, Doubles(world), peril, strikes_at
        self.calls: list[str] = []
        self.killed = False
        self._counting = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._counting:
            number = len(self.calls)
            self.calls.append(f"{request.method} {request.url.host}{request.url.path}")
        struck = self.peril is not None and number == self._strikes_at
        if self.killed or (struck and self.peril == "killed_before"):
            self.killed = True
            raise Killed
        if self.peril == "outage" and number >= self._strikes_at:
            raise httpx.ConnectError("no route to host")
        if struck and self.peril == "killed_after":
            self._doubles.handle_request(request)
            self.killed = True
            raise Killed
        if struck:
            self._arm(request)
        return self._doubles.handle_request(request)

    def _arm(self, request: httpx.Request) -> None:
        service = request.url.host.removesuffix(".test").replace("-", "_")
        kind: Kind = "refuse" if self.peril == "denied" else self.peril  # type: ignore[assignment]
        status = 422 if self.peril == "denied" else 503
        path = f"^{re.escape(request.url.path)}$"
        self._world.faults.arm(Fault(kind, service=service, method=request.method, path=path, status=status))
