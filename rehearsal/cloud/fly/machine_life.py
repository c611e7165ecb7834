"""The lifecycle of a machine: its current state, process, health checks and restarts.

There are no timers. A machine's document has its state and when it entered it; `find` executes the transitions that are due. So
the clock can jump, and the doubles can be restarted at any time. With real processes a thread reads all machines regularly, since
a machine that nobody reads would not start.

    created ──> starting ──> started ──> stopping | suspending ──> stopped | suspended
    started ──exit──> destroyed, with `auto_destroy` and no restart
    replacing ──> starting, or stopped when it was not running before          restarting ──> starting
    destroying ──> destroyed ──> (404)                                  started ──exit──> starting | stopped

An update stamps `launch` when the request is accepted. The previous process continues while Fly prepares the image; then it gets its
signal and ends, and its last log lines come before the `start` of the new version. An update whose image cannot be pulled is
reverted: the previous version never stops.
"""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from signal import Signals
from typing import Any

from rehearsal.cloud.context import Context
from rehearsal.cloud.fly import checks
from rehearsal.cloud.fly.databases import database_of
from rehearsal.cloud.fly.disks import Disks
from rehearsal.cloud.fly.formats import public, rfc3339, ulid
from rehearsal.cloud.fly.loopback import Loopback
from rehearsal.cloud.fly.machine_config import seconds_of
from rehearsal.cloud.fly.runtime import Exit, InMemory, Processes, Runtime, Start
from rehearsal.cloud.store import Document
from rehearsal.standins import solserver

LOG_LINES = 100
EVENTS = 50
STOP_SECONDS = 5.0
KNOWN_WITHOUT_HOST = ("image", "guest", "metadata")
"""What Fly knows of the config of a machine whose host it cannot reach."""
EXIT_SHOWN_SECONDS = 60.0
"""How long a machine is shown that ended and destroyed itself: flyctl reads the exit code of a release command from it."""
POLL_SECONDS = 0.1
ENDING = {"stopping": "stopped", "suspending": "suspended", "restarting": "starting", "destroying": "destroyed"}
"""States that wait for the process to end, and the state that follows."""
ORDERS = {"stopping": "stop", "suspending": "suspend", "restarting": "restart", "destroying": "destroy"}
"""The type of the event that each of them begins with."""


class Machines:
    """All machines. `changing` locks the store while a machine is changed."""

    def __init__(self, context: Context, loopback: Loopback) -> None:
        self._context, self._store, self._clock = context, context.store, context.clock
        self.disks = Disks(context.folder)
        self._loopback = loopback
        self.runtime: Runtime = (
            Processes(context.clock, self.log, self._loopback) if context.folder else InMemory(context.clock, self.log)
        )
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._keep_alive, daemon=True)
        if context.folder:
            self.resume()
            self._reader.start()

    def close(self) -> None:
        self._closed.set()
        if self._reader.ident:
            self._reader.join()  # Otherwise it could restart what is ended here, or read a store that is closed.
        self.runtime.close()
        self.disks.close()

    def resume(self) -> None:
        """Start the processes of all machines that are started: after a restart of the doubles, or in a copy."""
        with self._store.transaction():
            for machine in self._store.all("fly_machine", state="started"):
                self._run(machine, machine["_since"])

    # Reading and changing.

    def find(self, id: str) -> Document | None:
        """The machine in its current state, or None once it is gone."""
        with self._store.transaction():
            machine = self._store.get("fly_machine", id)
            if machine is None:
                return None
            changed = False
            while self._step(machine):
                changed = True
            if machine["state"] == "started":
                cap = self._context.delays.check_seconds_cap
                changed |= checks.run_due(machine, self.runtime, self._clock.now(), cap)
            shown_for = EXIT_SHOWN_SECONDS if machine.get("_destroyed_itself") else self._delay("volume_detach")
            if machine["state"] == "destroyed" and self._clock.now() >= machine["_since"] + shown_for:
                self._store.delete("fly_machine", id)
                return None
            if changed:
                self._store.put("fly_machine", id, machine)
            return machine

    def of_app(self, app: str) -> list[Document]:
        found = [self.find(machine["id"]) for machine in self._store.all("fly_machine", _app=app)]
        return [machine for machine in found if machine]

    @contextmanager
    def changing(self, id: str) -> Iterator[Document]:
        """The machine; changes made in the block are stored. Raises KeyError if there is none."""
        with self._store.transaction():
            machine = self.find(id)
            if machine is None:
                raise KeyError(id)
            yield machine
            self._store.put("fly_machine", id, machine)

    def shown(self, machine: Document) -> Document:
        """The machine as the API shows it. Right after an update the old version still appears started and healthy.
        Without its host, a machine has no config."""
        checks = [public(check) for check in machine["checks"]]
        shown = {**public(machine), "checks": checks, "version": machine["instance_id"]}
        age = self._clock.now() - machine["_since"]
        if machine["state"] == "replacing" and machine["_launch"] and age < self._delay("machine_visible"):
            shown["state"] = "started"
        if machine["host_status"] != "ok":
            config = shown.pop("config")
            shown["incomplete_config"] = {name: config[name] for name in KNOWN_WITHOUT_HOST if name in config}
        return shown

    # Operations on a machine; each takes the document inside `changing`.

    def launch(self, machine: Document, *, launch: bool) -> None:
        """Begin the lifecycle of a new machine."""
        machine["_launch"] = launch
        self._event(machine, "launch", "created", self._clock.now(), source="user")

    def replace(self, machine: Document, following: Document, *, launch: bool) -> None:
        """Replace the running version; `following` has the fields of the new version."""
        machine["_next"], machine["_launch"] = following, launch
        self._enter(machine, "replacing", self._clock.now())
        self._event(machine, "launch", "created", self._clock.now(), source="user")

    def start(self, machine: Document) -> None:
        machine["_restarts"] = 0
        self._enter(machine, "starting", self._clock.now())
        self._event(machine, "start", "starting", self._clock.now(), source="user")

    def end(self, machine: Document, state: str) -> None:
        """Enter `stopping`, `suspending`, `restarting` or `destroying`."""
        self._enter(machine, state, self._clock.now())
        status = "stopping" if state == "restarting" else state
        self._event(machine, ORDERS[state], status, self._clock.now(), source="user")
        self._end_process(machine, self._clock.now())

    def move_volume(self, id: str | None, old: str, new: str) -> None:
        """Move a volume, and the machine `id` that mounts it, to another host."""
        self.disks.move_volume(old, new)
        if id:
            with self.changing(id) as machine:
                mounts = [{**mount, "volume": new} for mount in machine["config"]["mounts"]]
                machine["config"] = {**machine["config"], "mounts": mounts}
                self.end(machine, "restarting")

    def drop_app(self, app: str) -> None:
        """Delete the machines and volumes of a deleted app."""
        for machine in self._store.all("fly_machine", _app=app):
            self.runtime.stop(machine["id"], 0.0)
            self._store.delete("fly_machine", machine["id"])
        for volume in self._store.all("fly_volume", _app=app):
            self._store.delete("fly_volume", volume["id"])
            self.disks.drop_volume(volume["id"])

    # Logs.

    def log(self, id: str, line: str, at: float | None = None) -> None:
        """Store a log line of the machine, written `at` that time or now. Fly's own level is `info`, whatever the line says."""
        with self._store.transaction():
            machine = self._store.get("fly_machine", id)
            if machine is None:
                return
            number = self._store.count("fly_log")
            attributes = {
                "timestamp": rfc3339(self._clock.now() if at is None else at),
                "message": line,
                "level": "info",
                "instance": id,
                "region": machine["region"],
                "meta": {"instance": id, "region": machine["region"], "event": {"provider": "app"}},
            }
            kept = self._store.get("fly_logs", machine["_app"]) or {"lines": []}
            kept["lines"] = [*kept["lines"], {"id": str(number), "attributes": attributes}][-LOG_LINES:]
            self._store.put("fly_logs", machine["_app"], kept)
        self._loopback.log_stream.publish(
            {
                "event": {"provider": "app"},
                "fly": {"app": {"instance": id, "name": machine["_app"]}, "region": machine["region"]},
                "host": "a1b2",
                "log": {"level": "info"},
                "message": line,
                "timestamp": attributes["timestamp"],
            }
        )

    # Transitions.

    def _step(self, machine: Document) -> bool:
        """Execute the next transition that is due; False if there is none."""
        now, state, half = self._clock.now(), machine["state"], self._delay("machine_start") / 2
        due = machine["_since"] + half
        if state == "created" and now >= due:
            self._enter(machine, "starting" if machine["_launch"] else "stopped", due)
            return True
        if state == "starting" and now >= due:
            self._begin(machine, due)
            return True
        if state == "started":
            exit = self.runtime.exit(machine["id"])
            if exit:
                self._crashed(machine, exit)
            return exit is not None
        if state == "replacing" and now >= due:
            return self._replace_process(machine, due)
        if state in ENDING:
            exit = self.runtime.exit(machine["id"])
            if exit:
                self._ended(machine, exit)
            return exit is not None
        return False

    def _begin(self, machine: Document, at: float) -> None:
        if machine["_image"]["broken"] == "launch":
            self._enter(machine, "failed", at)
            self._event(machine, "launch", "failed", at)
            return
        machine["checks"], machine["_checks_at"] = [], at
        self._enter(machine, "started", at)
        self._event(machine, "start", "started", at)
        self._run(machine, at)

    def _run(self, machine: Document, at: float) -> None:
        root = self.disks.new_root(machine["id"])
        for mount in machine["config"].get("mounts") or ():
            place = root / mount["path"].strip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(self.disks.volume(mount["volume"]), target_is_directory=True)
        for file in machine["config"].get("files") or ():
            content = file.get("raw_value") or machine["_secrets"].get(file.get("secret_name"), "")
            place = root / file["guest_path"].strip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(base64.b64decode(content))
        env = self._environment(machine)
        database = database_of(self._store, env["DATABASE_URL"]) if "DATABASE_URL" in env else None
        if database:
            place = root / solserver.connection(env["DATABASE_URL"])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(self.disks.database(*database), target_is_directory=True)
        image = machine["_image"]
        volumes = [self._store.get("fly_volume", found["volume"]) for found in machine["config"].get("mounts") or ()]
        if any(volume and volume.get("_full") for volume in volumes):
            image = {**image, "broken": "full"}
        start = Start(image=image, config=machine["config"], env=env, root=root, at=at)
        self.runtime.start(machine["id"], start)

    def _environment(self, machine: Document) -> dict[str, str]:
        guest = machine["config"].get("guest") or {}
        return {
            **(machine["config"].get("env") or {}),
            **machine["_secrets"],
            "FLY_APP_NAME": machine["_app"],
            "FLY_MACHINE_ID": machine["id"],
            "FLY_MACHINE_VERSION": machine["instance_id"],
            "FLY_REGION": machine["region"],
            "FLY_IMAGE_REF": machine["config"]["image"],
            "FLY_PRIVATE_IP": machine["private_ip"],
            "FLY_VM_MEMORY_MB": str(guest.get("memory_mb", 256)),
        }

    def _crashed(self, machine: Document, exit: Exit) -> None:
        """The process ended by itself: apply the restart policy."""
        restart = machine["config"].get("restart") or {}
        policy, max_retries = restart.get("policy") or "on-failure", restart.get("max_retries") or 10
        again = policy == "always" or (policy == "on-failure" and exit.code != 0 and machine["_restarts"] < max_retries)
        at = max(exit.at, machine["_since"])
        self.log(machine["id"], _last_line(exit), at)
        self._exit_event(machine, exit, at, requested=False, restarting=again)
        machine["_restarts"] += again
        if not again and policy == "on-failure" and exit.code:
            self.log(machine["id"], f"machine has reached its max restart count of {max_retries}", at)
        if machine["config"].get("auto_destroy") and not again:
            machine["_destroyed_itself"] = True
            self._destroyed(machine, at)
        else:
            self._enter(machine, "starting" if again else "stopped", at)

    def _ended(self, machine: Document, exit: Exit) -> None:
        """The process ended on request, or had already ended."""
        following, at = ENDING[machine["state"]], max(exit.at, machine["_since"])
        if exit.at >= machine["_since"]:
            self.log(machine["id"], _last_line(exit), at)
            self._exit_event(machine, exit, at, requested=True, restarting=following == "starting")
        if following == "destroyed":
            self._destroyed(machine, at)
            return
        self._enter(machine, following, at)
        if following == "starting":
            self._event(machine, "restart", "starting", at)

    def _destroyed(self, machine: Document, at: float) -> None:
        self._enter(machine, "destroyed", at)
        self._event(machine, "destroy", "destroyed", at)
        for volume in self._store.all("fly_volume", attached_machine_id=machine["id"]):
            self._store.put("fly_volume", volume["id"], {**volume, "_free_at": at + self._delay("volume_detach")})

    def _replace_process(self, machine: Document, due: float) -> bool:
        """The image of the next version is ready, or cannot be pulled."""
        if machine["_next"]["_image"]["broken"] == "pull":
            self._revert(machine, due)
            return True
        if self._end_process(machine, due):
            return True
        exit = self.runtime.exit(machine["id"])
        if exit:
            self._adopt_next(machine, exit, max(due, exit.at))
        return exit is not None

    def _revert(self, machine: Document, at: float) -> None:
        """Revert the update because its image cannot be pulled; the previous version keeps running."""
        reason = f"failed to pull image {machine.pop('_next')['config']['image']}"
        self._event(machine, "update", "failed", at, request={"error": reason})
        self._enter(machine, "started" if machine["_launch"] else "stopped", at)

    def _adopt_next(self, machine: Document, exit: Exit, at: float) -> None:
        if exit.at >= machine["_since"]:
            self.log(machine["id"], _last_line(exit), at)
            self._exit_event(machine, exit, at, requested=True, restarting=False)
        machine.update(machine.pop("_next"), _restarts=0)
        machine["_versions"].append({"version": machine["instance_id"], "user_config": machine["config"]})
        self._enter(machine, "starting" if machine["_launch"] else "stopped", at)

    def _end_process(self, machine: Document, at: float) -> bool:
        """Signal the process. False if it does not run, or was signalled before in this state."""
        if self.runtime.exit(machine["id"]) or machine.get("_signalled_at", 0.0) >= machine["_since"]:
            return False
        machine["_signalled_at"] = at
        self.log(machine["id"], "Sending signal SIGTERM to main child process w/ PID 306", at)
        timeout = (machine["config"].get("stop_config") or {}).get("timeout")
        self.runtime.stop(machine["id"], seconds_of(timeout) if timeout else STOP_SECONDS)
        return True

    def _enter(self, machine: Document, state: str, at: float) -> None:
        machine.update(state=state, _since=at, updated_at=rfc3339(at))
        if state in ("stopped", "suspended"):
            machine["checks"] = [
                {**check, "status": "warning", "output": "the machine hasn't started"} for check in machine["checks"]
            ]

    def _exit_event(self, machine: Document, exit: Exit, at: float, *, requested: bool, restarting: bool) -> None:
        exit_event = {
            "exit_code": exit.code,
            "guest_exit_code": exit.code,
            "guest_signal": exit.signal or -1,
            "oom_killed": exit.oom,
            "requested_stop": requested,
            "restarting": restarting,
            "signal": -1,
            "exited_at": rfc3339(at),
        }
        request = {"exit_event": exit_event, "restart_count": machine["_restarts"]}
        self._event(machine, "exit", "stopped", at, request=request)

    def _event(
        self, machine: Document, kind: str, status: str, at: float, *, source: str = "flyd", request: Any = None
    ) -> None:
        event = {"id": ulid(at), "type": kind, "status": status, "source": source, "timestamp": int(at * 1000)}
        machine["events"] = [event | ({"request": request} if request else {}), *machine["events"]][:EVENTS]

    def _delay(self, name: str) -> float:
        return float(getattr(self._context.delays, name))

    def _keep_alive(self) -> None:
        """Read all machines regularly: start what is due, notice what has ended."""
        while not self._closed.wait(POLL_SECONDS):
            for machine in self._store.all("fly_machine"):
                self.find(machine["id"])


def _last_line(exit: Exit) -> str:
    """What Fly's init logs at the end of the process."""
    if exit.signal:
        return f"Main child exited with signal (with signal '{Signals(exit.signal).name}', core dumped? false)"
    return f"Main child exited normally with code: {exit.code}"
