"""A transport that injects one fault into one API call, or kills the process there.

A run is one process. It counts its calls to all vendors; the fault happens at the call with the given number.
"""

import re
import threading
from typing import Literal, get_args

import httpx

from harness.inprocess import Doubles
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World

FaultKind = Literal["killed_before", "killed_after", "denied", "outage"] | Kind
FAULT_KINDS: tuple[FaultKind, ...] = ("killed_before", "killed_after", "denied", "outage", *get_args(Kind))
"""killed: the process ends before or after the call is executed. denied: a permanent refusal. outage: no connection from this call
on. The others are the faults of the doubles: refused and lost before and after execution, hanging, throttled."""


class Killed(BaseException):
    """The process is killed: no `except Exception` handles it, and no `finally` can call a vendor."""


class FaultTransport(httpx.BaseTransport):
    """The connection to the doubles for one run. Without a fault it only counts calls."""

    def __init__(self, world: World, fault: FaultKind | None = None, at: int = 0) -> None:
        """`at` is the number of the call with the fault, from 0."""
        self._world, self._doubles, self.fault, self._at = world, Doubles(world), fault, at
        self.calls: list[str] = []
        self.killed = False
        self._counting = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._counting:
            number = len(self.calls)
            self.calls.append(f"{request.method} {request.url.host}{request.url.path}")
        is_faulty = self.fault is not None and number == self._at
        if self.killed or (is_faulty and self.fault == "killed_before"):
            self.killed = True
            raise Killed
        if self.fault == "outage" and number >= self._at:
            raise httpx.ConnectError("no route to host")
        if is_faulty and self.fault == "killed_after":
            self._doubles.handle_request(request)
            self.killed = True
            raise Killed
        if is_faulty:
            self._arm(request)
        return self._doubles.handle_request(request)

    def _arm(self, request: httpx.Request) -> None:
        service = request.url.host.removesuffix(".test").replace("-", "_")
        kind: Kind = "refuse" if self.fault == "denied" else self.fault  # type: ignore[assignment]  # the other faults are kinds
        status = 422 if self.fault == "denied" else 503
        path = f"^{re.escape(request.url.path)}$"
        self._world.faults.arm(Fault(kind, service=service, method=request.method, path=path, status=status))
