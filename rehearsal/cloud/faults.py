"""Injected faults: armed by a test, matched against each call."""

import dataclasses
import re
import threading
from typing import Any, Literal

Kind = Literal["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"]


class Lost(Exception):
    """The connection breaks. A service raises it; the server, or the transport of a test, then breaks the connection."""


class Hung(Lost):
    """No response is sent: the caller has to time out. `seconds` is how long the server keeps the connection open."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"hung for {seconds:g} s")
        self.seconds = seconds


@dataclasses.dataclass
class Fault:
    """A fault. It applies to calls that match all given conditions, `times` times.

    kind: `refuse` returns `status` and `body` without executing the call, `refuse_after` after executing it; `lose_before`
    and `lose_after` break the connection before and after; `hang` sends nothing for `seconds`; `throttle` returns 429.
    """

    kind: Kind
    service: str | None = None
    method: str | None = None
    path: str | None = None
    """A regular expression, searched in the path."""
    skip: int = 0
    """Number of matching calls that succeed first."""
    times: int = 1
    status: int = 503
    body: Any = None
    seconds: float = 3600.0


class Faults:
    """The armed faults, oldest first. Thread-safe."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[Fault]:
        with self._lock:
            return list(self._armed)

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """The fault for this call, if any; counts the call."""
        with self._lock:
            for fault in self._armed:
                if fault.service not in (None, service) or fault.method not in (None, method):
                    continue
                if fault.path is not None and not re.search(fault.path, path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._armed.remove(fault)
                return fault
        return None
