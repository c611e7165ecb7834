"""What shall go wrong: armed faults, matched against the calls as they come."""

import dataclasses
import re
import threading
from typing import Any, Literal

Kind = Literal["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"]


class Lost(Exception):
    """The connection breaks instead of an answer. Raised through a service; the server or the test transport acts it out."""


class Hung(Lost):
    """No answer comes at all; the caller has to give up by itself. `seconds` is how long the server holds the connection."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"hung for {seconds:g} s")
        self.seconds = seconds


@dataclasses.dataclass
class Fault:
    """One thing that shall go wrong. All given conditions must match; it is used up after `times` calls.

    kind: `refuse` answers `status` and `body` before acting, `refuse_after` after acting; `lose_before` and `lose_after` break
    the connection before and after acting; `hang` holds it for `seconds` before acting; `throttle` answers 429.
    """

    kind: Kind
    service: str | None = None
    method: str | None = None
    path: str | None = None
    """A regular expression that must match somewhere in the path."""
    skip: int = 0
    """How many matching calls pass unharmed first."""
    times: int = 1
    status: int = 503
    body: Any = None
    seconds: float = 3600.0


class Faults:
    """The armed faults, in the order in which they were armed. Thread-safe."""

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
        """The fault that hits this call, if any; counts it."""
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
