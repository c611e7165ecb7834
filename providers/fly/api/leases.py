"""The lease on a machine. The code that waits keeps it alive: every poll calls `Lease.keep`, so no thread is needed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from providers import waiting
from providers.errors import ProviderError, TimedOut, Uncertain
from providers.fly.api.client import Fly, LeaseHeld, NotFound
from providers.fly.api.machines import path

LEASE_SECONDS = 60
KEEP_SECONDS = 15.0
"""A lease is renewed at this age: four times before it would expire."""
FOREIGN_LEASE_SECONDS = 90.0
"""How long to wait for another client's lease. A lease that a dead run of ours has left expires after LEASE_SECONDS."""


class _Lease(msgspec.Struct):
    nonce: str


class _LeaseResponse(msgspec.Struct):
    data: _Lease


class Lease:
    """The exclusive right to change a machine, until `release`. Kept alive by calling `keep` while waiting."""

    def __init__(self, fly: Fly, app: str, id: str) -> None:
        self._fly, self._path = fly, f"{path(app, id)}/lease"
        self._machine = f"machine {id} of app {app}"
        self.nonce = ""
        self._kept_at = 0.0

    def acquire(self) -> None:
        """Take the lease; wait for another client's to end, and show that. Raises LeaseHeld when that takes too long."""
        held: list[LeaseHeld] = []

        def taken() -> bool | None:
            try:
                self._post()
            except LeaseHeld as error:
                held.append(error)
                return None
            return True

        try:
            waiting.poll(
                taken,
                seconds=FOREIGN_LEASE_SECONDS,
                waiting_for=f"the lease of {self._machine}",
                last_seen=lambda: f"another client holds the lease of {self._machine}",
                action="waiting for lease",
                first_pause=1.0,
            )
        except TimedOut:
            raise held[-1] from None

    def keep(self) -> None:
        """Renew the lease when it is old, and take it again when it has expired. Fly returns the same nonce for the same
        nonce. Raises LeaseHeld when another client has it now."""
        if self.nonce and waiting.clock.now() - self._kept_at >= KEEP_SECONDS:
            try:
                self._post()
            except (NotFound, LeaseHeld):
                self.nonce = ""
                self.acquire()

    def release(self) -> None:
        """Give the lease back. Never fails: a lease that cannot be given back expires."""
        for _ in range(2 if self.nonce else 0):
            with suppress(ProviderError):
                doing = f"release the lease of {self._machine}"
                self._fly.call("DELETE", self._path, doing=doing, nonce=self.nonce, accept=(404, 409), safe=True)
                break
        self.nonce = ""

    def forget(self) -> None:
        """The lease is gone together with its machine."""
        self.nonce = ""

    def _post(self) -> None:
        # After a lost response we may hold a lease whose nonce we do not know. Wait for it as for another client's: it expires.
        try:
            response = self._fly.call(
                "POST",
                self._path,
                doing=f"lease {self._machine}",
                shape=_LeaseResponse,
                params={"ttl": LEASE_SECONDS},
                body={"ttl": LEASE_SECONDS, "description": "pulumi up"},
                nonce=self.nonce,
                safe=bool(self.nonce),
            )
        except Uncertain as uncertain:
            raise LeaseHeld(uncertain.message, remedy=uncertain.remedy, status=409) from None
        self.nonce = response.data.nonce
        self._kept_at = waiting.clock.now()


@contextmanager
def leased(fly: Fly, app: str, id: str) -> Iterator[Lease]:
    """Hold the machine's lease inside the block."""
    lease = Lease(fly, app, id)
    lease.acquire()
    try:
        yield lease
    finally:
        lease.release()
