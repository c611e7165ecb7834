"""Bring a machine to a state, and wait until it is there: start, restart, destroy."""

from contextlib import nullcontext

from providers import waiting
from providers.fly.api import machines
from providers.fly.api.client import GET_MACHINE_LIMIT, Fly, FlyError, NotFound, is_without_capacity
from providers.fly.api.durations import seconds_of
from providers.fly.api.leases import Lease, leased

GONE_SECONDS = 90.0
WAIT_SLICE_SECONDS = 10
"""Fly's `wait` takes 1 to 60 s; with short slices the lease is kept and progress is shown."""
DEFAULT_KILL_SECONDS = 5.0
"""How long Fly waits between signal and kill where the config does not say."""


def wait_for(
    fly: Fly, app: str, id: str, state: str, *, version: str = "", seconds: float, lease: Lease | None = None
) -> None:
    """Wait until the machine (in that version) is in `state`; `stopped` needs the version. Raises TimedOut or FlyError.

    Fly returns 408 at the end of a slice and 404 for a new machine; both mean "not yet". For `destroyed`, 404 is success.
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
                f"{machines.path(app, id)}/wait",
                doing=f"wait until machine {id} of app {app} is {state}",
                params={"state": state, "timeout": left, **_version(version)},
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
        reached,
        seconds=seconds,
        waiting_for=f"machine {id} of app {app} to be {state}",
        last_seen=lambda: seen,
        action="waiting for machine",
    )


def _version(version: str) -> dict[str, str]:
    """Under its present and its older name: some servers refuse to wait for `stopped` without the older one."""
    return {"version": version, "instance_id": version} if version else {}


def _may_still_reach(fly: Fly, app: str, id: str) -> bool:
    """After a 409 from `wait`: whether the machine is still changing its state."""
    machine = machines.find(fly, app, id)
    return machine is not None and machine.state not in ("failed", "launch_failed")


def start(fly: Fly, app: str, id: str, *, nonce: str = "", seconds: float = 60.0) -> None:
    """Start a stopped machine. Fly refuses with 412 while the machine is being replaced; that is retried."""

    def started() -> bool | None:
        try:
            fly.call(
                "POST",
                f"{machines.path(app, id)}/start",
                doing=f"start machine {id} of app {app}",
                nonce=nonce,
                safe=True,
            )
        except FlyError as error:
            if error.status != 412 or is_without_capacity(error):
                raise
            return None
        return True

    waiting.poll(
        started,
        seconds=seconds,
        waiting_for=f"Fly to accept the start of machine {id} of app {app}",
        action="starting machine",
        first_pause=0.5,
    )


def restart(fly: Fly, app: str, id: str, *, seconds: float) -> None:
    """Restart the machine under its lease and wait until its checks pass, all together within `seconds`. Idempotent; a stopped
    machine needs no restart."""
    doing, deadline = f"restart machine {id} of app {app}", waiting.clock.now() + seconds

    def left() -> float:
        return max(0.0, round(deadline - waiting.clock.now(), 1))

    with leased(fly, app, id) as lease:

        def accepted() -> bool | None:
            """Fly refuses with 412 while the machine still starts, for example from an earlier restart of ours."""
            try:
                fly.call("POST", f"{machines.path(app, id)}/restart", doing=doing, nonce=lease.nonce, safe=True)
            except FlyError as error:
                if error.status != 412:
                    raise
                machine = machines.find(fly, app, id)
                return False if machine is None or machine.state in ("stopped", "suspended") else None
            return True

        if waiting.poll(
            accepted, seconds=left(), waiting_for=f"Fly to {doing}", action="restarting machine", first_pause=0.5
        ):
            wait_for(fly, app, id, "started", seconds=left(), lease=lease)
            _wait_for_checks(fly, app, id, seconds=left(), lease=lease)


def _wait_for_checks(fly: Fly, app: str, id: str, *, seconds: float, lease: Lease) -> None:
    seen = ""

    def passing() -> bool | None:
        nonlocal seen
        lease.keep()
        machine = machines.find(fly, app, id)
        failures = machines.unhealthy_checks(machine.view, machine.checks) if machine else ["it does not exist"]
        seen = "; ".join(failures)
        return None if failures else True

    waiting.poll(
        passing,
        seconds=seconds,
        waiting_for=f"machine {id} of app {app} to be healthy after its restart",
        last_seen=lambda: seen,
        action="waiting for checks",
    )


def destroy(fly: Fly, app: str, id: str, *, at_once: bool = False, lease: Lease | None = None) -> None:
    """Stop the machine gracefully, delete it and wait until it is destroyed, which frees its name; succeeds when it already is.
    `at_once` kills it. `lease` is that of the machine, where the caller holds it."""
    try:
        machine = machines.look_up(fly, app, id)
    except NotFound:
        return
    if not machine.is_gone:
        with nullcontext(lease) if lease else leased(fly, app, id) as held:
            now = machines.find(fly, app, id)
            if now and not at_once and now.state == "started" and now.host_status == "ok":
                doing = f"stop machine {id} of app {app}"
                fly.call("POST", f"{machines.path(app, id)}/stop", doing=doing, nonce=held.nonce, safe=True)
                wait_for(fly, app, id, "stopped", version=now.instance_id, seconds=_stop_seconds(now), lease=held)
            fly.call(
                "DELETE",
                machines.path(app, id),
                doing=f"destroy machine {id} of app {app}",
                params={"force": "true"},
                nonce=held.nonce,
                accept=(404,),
                safe=True,
            )
            held.forget()
    waiting.poll(
        lambda: True if _is_destroyed(fly, app, id) else None,
        seconds=GONE_SECONDS,
        waiting_for=f"machine {id} of app {app} to be destroyed",
        action="destroying machine",
        remedy="run the same command again",
    )


def _is_destroyed(fly: Fly, app: str, id: str) -> bool:
    try:
        return machines.look_up(fly, app, id).state == "destroyed"
    except NotFound:
        return True


def _stop_seconds(machine: machines.Machine) -> float:
    stop = machine.view.stop_config
    return 30.0 + (seconds_of(stop.timeout) if stop and stop.timeout else DEFAULT_KILL_SECONDS)
