"""Machines as Fly answers them: looking one up, its lease, and waiting for it.

The lease is kept alive by whoever waits: every poll calls `Lease.keep`, so no thread outlives the work.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from providers import waiting
from providers.errors import ProviderError, TimedOut, Uncertain
from providers.fly.api.client import GET_MACHINE_LIMIT, Fly, FlyError, LeaseHeld, NotFound
from providers.fly.safe_update.machine_config import seconds_of, unhealthy_checks

GONE = frozenset({"destroyed", "destroying"})
LEASE_SECONDS = 60
KEEP_SECONDS = 15.0
"""A lease is renewed when it is this old: four times before it would end."""
FOREIGN_LEASE_SECONDS = 90.0
"""How long somebody else's lease is waited for. One that a dead run of ours left ends after LEASE_SECONDS."""
GONE_SECONDS = 90.0
WAIT_SLICE_SECONDS = 10
"""Fly's `wait` takes 1 to 60 s; short slices let the lease be kept and progress be shown."""


def is_gone(machine: dict[str, Any]) -> bool:
    """Whether the machine is destroyed, although Fly still lists it."""
    return machine.get("state") in GONE


def path(app: str, id: str) -> str:
    return f"/apps/{app}/machines/{id}"


def find(fly: Fly, app: str, id: str) -> dict[str, Any] | None:
    """The machine, or None when it is gone."""
    try:
        machine: dict[str, Any] = fly.call(
            "GET", path(app, id), doing=f"look up the machine {id} of {app!r}", limit=GET_MACHINE_LIMIT
        )
    except NotFound:
        return None
    return None if is_gone(machine) else machine


def living(fly: Fly, app: str) -> list[dict[str, Any]]:
    """All machines of the app that are not destroyed."""
    try:
        machines = fly.call("GET", f"/apps/{app}/machines", doing=f"list the machines of the app {app!r}")
    except NotFound:
        return []
    return [machine for machine in machines or () if not is_gone(machine)]


class Lease:
    """The right to change a machine, until `release`. Kept alive by calling `keep` while waiting."""

    def __init__(self, fly: Fly, app: str, id: str) -> None:
        self._fly, self._path, self._doing = fly, f"{path(app, id)}/lease", f"lease the machine {id} of {app!r}"
        self._id = id
        self.nonce = ""
        self._kept_at = 0.0

    def acquire(self) -> None:
        """Take the lease, waiting for somebody else's to end. Raises LeaseHeld when that takes too long."""
        held: list[LeaseHeld] = []

        def taken() -> bool | None:
            try:
                self._post()
            except LeaseHeld as error:
                held.append(error)
                return None
            return True

        try:
            waiting.poll(taken, seconds=FOREIGN_LEASE_SECONDS, waiting_for=self._doing, first_pause=1.0)
        except TimedOut:
            raise held[-1] from None

    def keep(self) -> None:
        """Renew the lease if it is getting old, and take it anew if it has ended. Fly gives the same nonce back for the same
        nonce. Raises LeaseHeld when somebody else has it by now."""
        if self.nonce and waiting.clock.now() - self._kept_at >= KEEP_SECONDS:
            try:
                self._post()
            except (NotFound, LeaseHeld):
                self.nonce = ""
                self.acquire()

    def release(self) -> None:
        """Give the lease back; quiet if it has ended already, or cannot be given back: then it ends by itself."""
        for _ in range(2 if self.nonce else 0):
            with suppress(ProviderError):
                doing = f"un{self._doing}"
                self._fly.call("DELETE", self._path, doing=doing, nonce=self.nonce, accept=(404, 409), safe=True)
                break
        self.nonce = ""

    def _post(self) -> None:
        # A lost answer may have given the lease to nobody we know: it is waited for like a stranger's, and ends soon.
        try:
            answer = self._fly.call(
                "POST",
                self._path,
                doing=self._doing,
                params={"ttl": LEASE_SECONDS},
                body={"ttl": LEASE_SECONDS, "description": "pulumi up"},
                nonce=self.nonce,
                safe=bool(self.nonce),
            )
        except Uncertain as uncertain:
            raise LeaseHeld(str(uncertain), status=409) from None
        self.nonce = str(answer["data"]["nonce"])
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


def wait_for(
    fly: Fly, app: str, id: str, state: str, *, version: str = "", seconds: float, lease: Lease | None = None
) -> None:
    """Wait until the machine (of that version) is in `state`. Raises TimedOut or FlyError.

    Fly answers 408 at the end of a slice and 404 for a machine that has just been made; both mean "not yet". For
    `destroyed`, 404 is success.
    """
    deadline = waiting.clock.now() + seconds
    seen = ""

    def reached() -> bool | None:
        nonlocal seen
        if lease:
            lease.keep()
        left = max(1, min(WAIT_SLICE_SECONDS, int(deadline - waiting.clock.now())))
        try:
            fly.call(
                "GET",
                f"{path(app, id)}/wait",
                doing=f"wait for the machine {id} of {app!r} to be {state}",
                params={"state": state, "timeout": left, **({"version": version} if version else {})},
                limit=GET_MACHINE_LIMIT,
                attempt_seconds=left + 10.0,
            )
        except NotFound as error:
            seen = str(error)
            return True if state == "destroyed" else None
        except FlyError as error:
            if error.status not in (408, 409):
                raise
            seen = error.body
            if error.status == 409 and not _may_still_reach(fly, app, id):
                raise
            return None
        return True

    waiting.poll(
        reached, seconds=seconds, waiting_for=f"the machine {id} of {app!r} to be {state}", last_seen=lambda: seen
    )


def _may_still_reach(fly: Fly, app: str, id: str) -> bool:
    """After 409 from `wait`: whether the machine is still moving."""
    machine = find(fly, app, id)
    return machine is not None and machine["state"] not in ("failed", "launch_failed")


def start(fly: Fly, app: str, id: str, *, nonce: str = "", seconds: float = 60.0) -> None:
    """Start a stopped machine. Fly refuses with 412 while it is still being replaced, so that is waited for."""

    def started() -> bool | None:
        try:
            fly.call(
                "POST", f"{path(app, id)}/start", doing=f"start the machine {id} of {app!r}", nonce=nonce, safe=True
            )
        except FlyError as error:
            if error.status != 412:
                raise
            return None
        return True

    waiting.poll(started, seconds=seconds, waiting_for=f"Fly to let the machine {id} of {app!r} start", first_pause=0.5)


def restart(fly: Fly, app: str, id: str, *, seconds: float = 120.0) -> None:
    """Restart the machine under its lease and wait until its checks pass. A second restart does no harm; a machine that does not
    run needs none."""
    doing = f"restart the machine {id} of {app!r}"
    with leased(fly, app, id) as lease:

        def accepted() -> bool | None:
            """Fly refuses with 412 while the machine still starts, from a restart of ours, say."""
            try:
                fly.call("POST", f"{path(app, id)}/restart", doing=doing, nonce=lease.nonce, safe=True)
            except FlyError as error:
                if error.status != 412:
                    raise
                machine = find(fly, app, id)
                return False if machine is None or machine["state"] in ("stopped", "suspended") else None
            return True

        if waiting.poll(accepted, seconds=seconds, waiting_for=f"Fly to {doing}", first_pause=0.5):
            wait_for(fly, app, id, "started", seconds=seconds, lease=lease)
            _wait_for_checks(fly, app, id, seconds=seconds, lease=lease)


def _wait_for_checks(fly: Fly, app: str, id: str, *, seconds: float, lease: Lease) -> None:
    seen = ""

    def passing() -> bool | None:
        nonlocal seen
        lease.keep()
        machine = find(fly, app, id)
        troubles = unhealthy_checks(machine["config"], machine.get("checks") or []) if machine else ["it is gone"]
        seen = "; ".join(troubles)
        return None if troubles else True

    waiting.poll(
        passing,
        seconds=seconds,
        waiting_for=f"the machine {id} of {app!r} to be healthy after its restart",
        last_seen=lambda: seen,
    )


def destroy(fly: Fly, app: str, id: str, *, at_once: bool = False) -> None:
    """Stop the machine in its own time, delete it and wait until it is gone; quiet when it already is.

    `at_once` is for one that has nothing to finish: Fly kills it.
    """
    machine = find(fly, app, id)
    if machine is None:
        return
    with leased(fly, app, id) as lease:
        if not at_once and machine["state"] == "started" and machine.get("host_status", "ok") == "ok":
            fly.call(
                "POST", f"{path(app, id)}/stop", doing=f"stop the machine {id} of {app!r}", nonce=lease.nonce, safe=True
            )
            wait_for(fly, app, id, "stopped", seconds=_stop_seconds(machine), lease=lease)
        fly.call(
            "DELETE",
            path(app, id),
            doing=f"destroy the machine {id} of {app!r}",
            params={"force": "true"},
            nonce=lease.nonce,
            accept=(404,),
            safe=True,
        )
        lease.nonce = ""  # It went with the machine.
    waiting.poll(
        lambda: None if find(fly, app, id) else True,
        seconds=GONE_SECONDS,
        waiting_for=f"the machine {id} of {app!r} to be destroyed; run destroy again",
    )


def _stop_seconds(machine: dict[str, Any]) -> float:
    timeout = (machine["config"].get("stop_config") or {}).get("timeout")
    return 30.0 + (seconds_of(timeout) if timeout else 5.0)


def refuse_bad_host(app: str, machine: dict[str, Any]) -> None:
    """Raise when the machine's host is not all right: nothing done to it now would end well."""
    status = machine.get("host_status", "ok")
    if status != "ok":
        raise ProviderError(
            f"the machine {machine['id']} of {app!r} is on a host that Fly reports as {status}: nothing was changed. "
            f"Look at https://status.fly.io and `fly machine status {machine['id']} -a {app}`; if the host stays away, restore "
            "the volume's newest snapshot (`fly volumes snapshots list`) to a new volume and deploy there"
        )
