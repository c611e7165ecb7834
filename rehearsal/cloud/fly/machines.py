"""The machine endpoints: requests, and what Fly refuses. The lifecycle of a machine is in `machine_life`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies, machine_config
from rehearsal.cloud.fly.api import FlyApi, fly_error
from rehearsal.cloud.fly.formats import random_id, rfc3339, ulid
from rehearsal.cloud.fly.programs import public_image
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document

NONCE = "fly-machine-lease-nonce"
CREATE = {
    "name": str,
    "region": str,
    "config": bodies.MACHINE_CONFIG,
    "skip_launch": bool,
    "skip_service_registration": bool,
    "skip_secrets": bool,
    "min_secrets_version": int,
    "lease_ttl": int,
}
UPDATE = {**CREATE, "current_version": str}
SETTLED = ("started", "stopped", "suspended", "destroyed", "failed")
"""The states that a machine keeps until something happens."""
WAIT_STATES = (*SETTLED, "settled")
POLL_SECONDS = 0.05
DEAD_ENDS = ("failed", "destroyed")


class MachinesPart(FlyApi):
    """`/v1/apps/{name}/machines`."""

    @route("GET", "/v1/apps/<name>/machines")
    def list_machines(self, request: Request, name: str) -> Any:
        self.app(request, name, "list_machines")
        found = [
            {**machine, "state": "started"}
            if machine["state"] in ("destroying", "destroyed") and self.is_lagging(machine["_since"])
            else machine
            for machine in self.listed(self.machines.of_app(name))
        ]
        shown = [self.machines.shown(machine) for machine in found]
        wanted = {key.partition(".")[2]: text for key, text in request.args.items() if key.startswith("metadata.")}
        gone = "include_deleted" in request.args
        return [
            machine
            for machine in shown
            if (gone or machine["state"] != "destroyed") and wanted.items() <= _metadata(machine).items()
        ]

    @route("POST", "/v1/apps/<name>/machines")
    def create_machine(self, request: Request, name: str) -> Any:
        body = bodies.read(request, CREATE, "CreateMachineRequest")
        config = body.get("config") or {}
        machine_config.check(config)
        with self.store.transaction():
            self.app(request, name, "create_machine")
            region, now = self.region(body.get("region")), self.context.clock.now()
            title = body.get("name") or f"machine-{random_id(6)}"
            if any(found["name"] == title for found in self._living(name)):
                raise fly_error(409, f"already_exists: unique machine name violation, machine name {title} is taken")
            id = random_id(14, "0123456789abcdef")
            volume = self._free_volume(name, region, config, id)
            machine: Document = {
                "id": id,
                "name": title,
                "state": "created",
                "region": region,
                "private_ip": f"fdaa:0:18:a7b:{random_id(4, '0123456789abcdef')}::2",
                "created_at": rfc3339(now),
                "updated_at": rfc3339(now),
                "host_status": "ok",
                "cordoned": bool(body.get("skip_service_registration")),
                "checks": [],
                "events": [],
                "_app": name,
                "_since": now,
                "_visible_at": now + self.context.delays.machine_visible,
                "_restarts": 0,
                "_checks_at": now,
                "_versions": [],
                "_lease": None,
                **self._version(name, config, body),
            }
            machine["_versions"] = [{"version": machine["instance_id"], "user_config": machine["config"]}]
            self.machines.launch(machine, launch=not body.get("skip_launch"))
            nonce = self._lease(machine, body["lease_ttl"], "")["nonce"] if body.get("lease_ttl") else None
            self.store.put("fly_machine", id, machine)
            if volume:
                self.store.put("fly_volume", volume["id"], {**volume, "attached_machine_id": id, "_free_at": None})
            app = self.store.get("fly_app", name)
            assert app is not None
            self.store.put("fly_app", name, {**app, "_released": True})
        return {**self.machines.shown(machine), **({"nonce": nonce} if nonce else {})}

    @route("GET", "/v1/apps/<name>/machines/<id>")
    def get_machine(self, request: Request, name: str, id: str) -> Any:
        self.app(request, name)
        self.limit("get_machine", id)
        machine = self._machine(name, id)
        if self.context.clock.now() < machine["_visible_at"]:
            raise fly_error(404, "machine not found")
        return self.machines.shown(machine)

    @route("POST", "/v1/apps/<name>/machines/<id>")
    def update_machine(self, request: Request, name: str, id: str) -> Any:
        body = bodies.read(request, UPDATE, "UpdateMachineRequest")
        config = body.get("config") or {}
        machine_config.check(config)
        with self._changed(request, name, id, "update_machine") as machine:
            if body.get("region") not in (None, machine["region"]):
                raise bodies.refused("invalid_argument: region cannot be changed")
            newest = (machine.get("_next") or machine)["instance_id"]
            if body.get("current_version") not in (None, newest):
                raise fly_error(409, f"aborted: machine version is {newest}, not current_version")
            if _volumes(config) != _volumes(machine["config"]):
                raise bodies.refused(
                    "invalid_argument: volume mounts cannot be changed; destroy and create the machine"
                )
            was_running = machine["state"] in ("started", "starting", "created", "replacing")
            following = self._version(name, config, body)
            self.machines.replace(machine, following, launch=was_running and not body.get("skip_launch"))
            response = {**self.machines.shown(machine), **{key: following[key] for key in ("config", "instance_id")}}
        return {**response, "version": following["instance_id"], "name": body.get("name") or machine["name"]}

    @route("DELETE", "/v1/apps/<name>/machines/<id>")
    def delete_machine(self, request: Request, name: str, id: str) -> Any:
        forced = "true" in (request.args.get("force"), request.args.get("kill"))  # flyctl sends `kill`
        with self._changed(request, name, id, "delete_machine") as machine:
            if machine["state"] == "started" and not forced:
                raise fly_error(412, "failed_precondition: unable to destroy machine, not currently stopped")
            self.machines.end(machine, "destroying")
        return {"ok": True}

    @route("POST", "/v1/apps/<name>/machines/<id>/start")
    def start_machine(self, request: Request, name: str, id: str) -> Any:
        with self._changed(request, name, id, "start_machine") as machine:
            if machine["state"] not in ("started", "starting", "stopped", "suspended"):
                raise fly_error(
                    412, f"failed_precondition: unable to start machine from current state: '{machine['state']}'"
                )
            before = machine["state"]
            if before in ("stopped", "suspended"):
                self.machines.start(machine)
        return {"previous_state": before, "migrated": False, "new_host": ""}

    @route("POST", "/v1/apps/<name>/machines/<id>/stop")
    def stop_machine(self, request: Request, name: str, id: str) -> Any:
        with self._changed(request, name, id, "stop_machine") as machine:
            if machine["state"] in ("started", "starting"):
                self.machines.end(machine, "stopping")
        return {"ok": True}

    @route("POST", "/v1/apps/<name>/machines/<id>/restart")
    def restart_machine(self, request: Request, name: str, id: str) -> Any:
        with self._changed(request, name, id, "restart_machine") as machine:
            if machine["state"] != "started":
                raise fly_error(412, f"failed_precondition: unable to restart machine from state '{machine['state']}'")
            self.machines.end(machine, "restarting")
        return None

    @route("POST", "/v1/apps/<name>/machines/<id>/cordon")
    def cordon_machine(self, request: Request, name: str, id: str) -> Any:
        with self._changed(request, name, id, "cordon_machine") as machine:
            machine["cordoned"] = True
        return None

    @route("POST", "/v1/apps/<name>/machines/<id>/uncordon")
    def uncordon_machine(self, request: Request, name: str, id: str) -> Any:
        with self._changed(request, name, id, "uncordon_machine") as machine:
            machine["cordoned"] = False
        return None

    @route("GET", "/v1/apps/<name>/machines/<id>/wait")
    def wait_for_machine(self, request: Request, name: str, id: str) -> Any:
        """Answer once a state is reached, or 408 after `timeout` seconds. `state` is repeated, or a list with commas."""
        self.app(request, name)
        self.limit("get_machine", id)
        states = [state for given in request.args.getlist("state") for state in given.split(",")] or ["started"]
        seconds = float(request.args.get("timeout", 60))
        if not set(states) <= set(WAIT_STATES) or not 1 <= seconds <= 60:
            raise bodies.refused("invalid_argument: state or timeout is not valid")
        wanted = request.args.get("version") or request.args.get("instance_id")
        if "stopped" in states and not wanted:
            raise bodies.refused("invalid_argument: instance_id is required to wait for state stopped")
        reached = {*states, *(SETTLED if "settled" in states else ())}
        deadline = self.context.clock.now() + seconds
        while True:
            machine = self._machine(name, id)
            known = {version["version"] for version in machine["_versions"]}
            following = (machine.get("_next") or {}).get("instance_id")
            if wanted and wanted not in known | {following}:
                raise fly_error(404, f"machine version {wanted} not found")
            if machine["state"] in reached and wanted in (None, machine["instance_id"]):
                found = {"state": machine["state"], "version": machine["instance_id"]}
                return {"ok": True, **found, "event_id": machine["events"][0]["id"]}
            if machine["state"] in DEAD_ENDS and "_next" not in machine:
                raise fly_error(409, f"aborted: machine {id} is {machine['state']} and cannot become {_named(states)}")
            if self.context.clock.now() >= deadline:
                raise fly_error(
                    408,
                    f"deadline_exceeded: machine failed to reach desired state, {_named(states)}, "
                    f"currently {machine['state']}",
                )
            self.context.clock.sleep(POLL_SECONDS)

    @route("GET", "/v1/apps/<name>/machines/<id>/lease")
    def read_lease(self, request: Request, name: str, id: str) -> Any:
        self.app(request, name)
        lease = self._lease_of(self._machine(name, id))
        if lease is None:
            raise fly_error(404, "lease not found")
        return {"status": "success", "data": {key: value for key, value in lease.items() if key != "nonce"}}

    @route("POST", "/v1/apps/<name>/machines/<id>/lease")
    def take_lease(self, request: Request, name: str, id: str) -> Any:
        body = bodies.read(request, {"ttl": int, "description": str}, "AcquireLeaseRequest")
        ttl = body.get("ttl") or int(request.args.get("ttl", 0))
        if not 1 <= ttl <= 3600:
            raise bodies.refused("invalid_argument: ttl is required")
        with self._changed(request, name, id, "lease") as machine:
            lease = self._lease(machine, ttl, body.get("description", ""))
        return {"status": "success", "data": lease}, 201, {}

    @route("DELETE", "/v1/apps/<name>/machines/<id>/lease")
    def release_lease(self, request: Request, name: str, id: str) -> Any:
        with self._changed(request, name, id, "lease") as machine:
            if self._lease_of(machine) is None:
                raise fly_error(404, "lease not found")
            machine["_lease"] = None
        return {"status": "success"}

    # Shared by the requests.

    @contextmanager
    def _changed(self, request: Request, app: str, id: str, action: str) -> Iterator[Document]:
        """The machine, if the caller holds its lease or nobody does. Changes made in the block are stored."""
        self.machines.find(id)  # transitions that are due stay even if the call is refused
        with self.store.transaction():
            self.app(request, app)
            self.limit(action, id)
            lease = self._lease_of(self._machine(app, id))
            if lease and request.headers.get(NONCE) != lease["nonce"]:
                raise fly_error(
                    409,
                    f"failed to get lease: lease currently held by {lease['owner']}, expires at {lease['expires_at']}",
                )
            with self.machines.changing(id) as machine:
                if machine["host_status"] != "ok" and action not in ("lease", "delete_machine"):
                    raise fly_error(412, f"failed_precondition: the host of machine {id} is {machine['host_status']}")
                yield machine

    def _machine(self, app: str, id: str) -> Document:
        machine = self.machines.find(id)
        if machine is None or machine["_app"] != app:
            raise fly_error(404, "machine not found")
        return machine

    def _living(self, app: str) -> list[Document]:
        return [machine for machine in self.machines.of_app(app) if machine["state"] != "destroyed"]

    def _version(self, app: str, config: Document, body: Document) -> Document:
        """The fields of a machine that belong to one version."""
        reference = config["image"]
        image = self._image(reference)
        held = self.store.get("fly_secrets", app) or {"version": 0, "versions": []}
        min_version = body.get("min_secrets_version") or 0
        if min_version > held["version"]:
            raise bodies.refused(f"invalid_argument: secrets version {min_version} does not exist")
        secrets = held["versions"][-1]["values"] if held["versions"] and not body.get("skip_secrets") else {}
        registry, _, rest = image["reference"].partition("/")
        repository, _, tag = rest.partition(":")
        return {
            "config": machine_config.shown(config),
            "instance_id": ulid(self.context.clock.now()),
            "image_ref": {"registry": registry, "repository": repository, "tag": tag, "digest": image["digest"]},
            "_image": image,
            "_secrets": secrets,
        }

    def _image(self, reference: str) -> Document:
        for image in self.store.all("fly_image"):
            pinned = f"{image['reference'].rpartition(':')[0]}@{image['digest']}"
            if reference in (image["reference"], pinned, f"{image['reference']}@{image['digest']}"):
                return image
        found = public_image(reference)
        if found:
            return found
        raise fly_error(400, f"failed to get manifest {reference}: MANIFEST_UNKNOWN: manifest unknown")

    def _free_volume(self, app: str, region: str, config: Document, machine_id: str) -> Document | None:
        for id in _volumes(config):
            volume = self.store.get("fly_volume", id)
            if volume is None or volume["_app"] != app or volume["_deleted_at"] is not None:
                raise fly_error(404, f"volume {id} not found")
            if volume["region"] != region:
                raise bodies.refused(f"invalid_argument: volume {id} is in {volume['region']}, not {region}")
            holder, free_at = volume["attached_machine_id"], volume["_free_at"]
            if holder and not (free_at is not None and self.context.clock.now() >= free_at):
                raise fly_error(412, f"failed_precondition: volume {id} is already attached to machine {holder}")
            return volume
        return None

    def _lease(self, machine: Document, ttl: int, description: str) -> Document:
        held = self._lease_of(machine)
        lease = {
            "nonce": held["nonce"] if held else random_id(12, "0123456789abcdef"),
            "expires_at": int(self.context.clock.now()) + ttl,
            "owner": "rehearsal@sollabs.example",
            "description": description,
            "version": machine["instance_id"],
        }
        machine["_lease"] = lease
        return lease

    def _lease_of(self, machine: Document) -> Document | None:
        lease: Document | None = machine["_lease"]
        return lease if lease and self.context.clock.now() < lease["expires_at"] else None


def _named(states: list[str]) -> str:
    return ", ".join(states)


def _metadata(machine: Document) -> dict[str, str]:
    config = machine.get("config") or machine.get("incomplete_config") or {}
    return dict(config.get("metadata") or {})


def _volumes(config: Document) -> list[str]:
    return [mount["volume"] for mount in config.get("mounts") or ()]
