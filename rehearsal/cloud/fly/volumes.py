"""Volumes: attached to one machine, can grow but not shrink, deleted softly. Snapshots are taken in the background."""

import re
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import FlyApi, fly_error
from rehearsal.cloud.fly.formats import public, random_id, rfc3339
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document

CREATE = {
    "name": str,
    "region": str,
    "size_gb": int,
    "encrypted": bool,
    "fstype": str,
    "require_unique_zone": bool,
    "unique_zone_app_wide": bool,
    "snapshot_retention": int,
    "auto_backup_enabled": bool,
    "compute": bodies.GUEST,
    "compute_image": str,
    "snapshot_id": str,
    "source_volume_id": str,
}
NAME = re.compile(r"[a-z0-9_]{1,30}")
LISTED_AFTER_DELETION = 86_400.0


class Volumes(FlyApi):
    """`/v1/apps/{name}/volumes` and their snapshots."""

    @route("GET", "/v1/apps/<name>/volumes")
    def list_volumes(self, request: Request, name: str) -> Any:
        with self.store.transaction():
            self.app(request, name, "list_volumes")
            volumes = [self._settled(volume) for volume in self.listed(self.store.all("fly_volume", _app=name))]
        return [
            public({**volume, "state": "created"} if self.is_lagging(volume["_deleted_at"] or 0.0) else volume)
            for volume in volumes
            if volume
        ]

    @route("POST", "/v1/apps/<name>/volumes")
    def create_volume(self, request: Request, name: str) -> Any:
        body = bodies.read(request, CREATE, "CreateVolumeRequest")
        if not NAME.fullmatch(body.get("name") or ""):
            raise bodies.refused(
                "invalid_argument: volume names may only contain lowercase letters, numbers and underscores"
            )
        _check_limits(body)
        if body.get("source_volume_id"):
            raise fly_error(501, "the double does not fork volumes")
        with self.store.transaction():
            self.app(request, name, "create_volume")
            region = self.region(body.get("region"))
            if self.store.get("fly_full", region):
                raise fly_error(
                    422, f"insufficient resources to create a volume in {region}", "volume_placement_capacity"
                )
            snapshot = self.store.get("fly_snapshot", body["snapshot_id"]) if body.get("snapshot_id") else None
            if body.get("snapshot_id") and (not snapshot or snapshot["_app"] != name):
                raise fly_error(404, "snapshot not found")
            volume = self.make_volume(name, region, body)
            if snapshot:
                self.machines.disks.restore(snapshot["id"], volume["id"])
        return public(volume)

    def make_volume(self, app: str, region: str, body: Document) -> Document:
        """Store a new, unattached volume."""
        now, id = self.context.clock.now(), f"vol_{random_id(16)}"
        return self.store.put(
            "fly_volume",
            id,
            {
                "id": id,
                "name": body["name"],
                "state": "hydrating" if body.get("snapshot_id") else "created",
                "region": region,
                "zone": random_id(4, "0123456789abcdef"),
                "size_gb": body.get("size_gb") or 3,
                "encrypted": body.get("encrypted", True),
                "fstype": body.get("fstype") or "ext4",
                "type": "local",
                "attached_machine_id": None,
                "attached_alloc_id": None,
                "host_status": "ok",
                "snapshot_retention": body.get("snapshot_retention") or 5,
                "auto_backup_enabled": body.get("auto_backup_enabled", True),
                "created_at": rfc3339(now),
                "_app": app,
                "_hydrated_at": now + self.context.delays.snapshot,
                "_free_at": None,
                "_deleted_at": None,
            },
        )

    @route("GET", "/v1/apps/<name>/volumes/<id>")
    def get_volume(self, request: Request, name: str, id: str) -> Any:
        with self.store.transaction():
            self.app(request, name)
            self.limit("get_volume", id)
            return public(self._volume(name, id))

    @route("PUT", "/v1/apps/<name>/volumes/<id>")
    def update_volume(self, request: Request, name: str, id: str) -> Any:
        body = bodies.read(request, {"snapshot_retention": int, "auto_backup_enabled": bool}, "UpdateVolumeRequest")
        _check_limits(body)
        with self.store.transaction():
            self.app(request, name)
            self.limit("update_volume", id)
            return public(self.store.put("fly_volume", id, {**self._reachable_volume(name, id), **body}))

    @route("PUT", "/v1/apps/<name>/volumes/<id>/extend")
    def extend_volume(self, request: Request, name: str, id: str) -> Any:
        size = bodies.read(request, {"size_gb": int}, "ExtendVolumeRequest").get("size_gb")
        _check_limits({"size_gb": size or 0})
        with self.store.transaction():
            self.app(request, name)
            self.limit("extend_volume", id)
            volume = self._reachable_volume(name, id)
            if size <= volume["size_gb"]:
                raise bodies.refused(f"invalid_argument: volumes can only grow: {id} has {volume['size_gb']} GB")
            machine = self.machines.find(volume["attached_machine_id"]) if volume["attached_machine_id"] else None
            grown = self.store.put(
                "fly_volume", id, {**volume, "size_gb": size, "_grown_at": self.context.clock.now(), "_full": False}
            )
        return {"volume": public(grown), "needs_restart": machine is not None and machine["state"] == "started"}

    @route("DELETE", "/v1/apps/<name>/volumes/<id>")
    def delete_volume(self, request: Request, name: str, id: str) -> Any:
        with self.store.transaction():
            self.app(request, name)
            self.limit("delete_volume", id)
            volume = self._existing_volume(name, id)
            if volume["attached_machine_id"]:
                machine = volume["attached_machine_id"]
                raise fly_error(412, f"failed_precondition: volume is currently bound to machine: {machine}")
            return public(self.drop_volume(volume))

    def drop_volume(self, volume: Document) -> Document:
        """Delete it softly: it is listed for one more day."""
        gone = {"state": "pending_destroy", "attached_machine_id": None, "_deleted_at": self.context.clock.now()}
        return self.store.put("fly_volume", volume["id"], {**volume, **gone})

    def migrate(self, id: str) -> Document:
        """Move a volume to another host: its machine then mounts a copy with a new id and the same name."""
        with self.store.transaction():
            old = self.store.get("fly_volume", id)
            assert old is not None
            new = self.make_volume(old["_app"], old["region"], old)
            kept = {key: old[key] for key in ("attached_machine_id", "created_at")}
            self.store.put("fly_volume", new["id"], {**new, **kept})
            self.machines.move_volume(old["attached_machine_id"], id, new["id"])
            self.drop_volume(old)
        return new

    @route("GET", "/v1/apps/<name>/volumes/<id>/snapshots")
    def list_snapshots(self, request: Request, name: str, id: str) -> Any:
        with self.store.transaction():
            self.app(request, name)
            self.limit("list_snapshots", id)
            self._volume(name, id)
            snapshots = [
                self._settled_snapshot(snapshot) for snapshot in self.store.all("fly_snapshot", _app=name, _volume=id)
            ]
        return [public(snapshot) for snapshot in snapshots if snapshot]

    @route("POST", "/v1/apps/<name>/volumes/<id>/snapshots")
    def create_snapshot(self, request: Request, name: str, id: str) -> Any:
        with self.store.transaction():
            self.app(request, name)
            self.limit("create_snapshot", id)
            volume, now = self._reachable_volume(name, id), self.context.clock.now()
            snapshot_id = f"vs_{random_id(22)}"
            self.machines.disks.take_snapshot(id, snapshot_id)
            self.store.put(
                "fly_snapshot",
                snapshot_id,
                {
                    "id": snapshot_id,
                    "size": 0,
                    "volume_size": volume["size_gb"] << 30,
                    "digest": random_id(64, "0123456789abcdef"),
                    "created_at": rfc3339(now),
                    "status": "waiting",
                    "retention_days": volume["snapshot_retention"],
                    "_app": name,
                    "_key": snapshot_id,
                    "_volume": id,
                    "_at": now,
                },
            )
        return {}

    def _volume(self, app: str, id: str) -> Document:
        volume = self.store.get("fly_volume", id)
        settled = self._settled(volume) if volume and volume["_app"] == app else None
        if settled is None:
            raise fly_error(404, "volume not found")
        return settled

    def _existing_volume(self, app: str, id: str) -> Document:
        volume = self._volume(app, id)
        if volume["_deleted_at"] is not None:
            raise fly_error(404, "volume not found")
        return volume

    def _reachable_volume(self, app: str, id: str) -> Document:
        volume = self._existing_volume(app, id)
        if volume["host_status"] != "ok":
            raise fly_error(412, f"failed_precondition: the host of volume {id} is {volume['host_status']}")
        return volume

    def _settled(self, volume: Document) -> Document | None:
        """The current state of the volume; None once it is no longer listed."""
        now = self.context.clock.now()
        if volume["attached_machine_id"]:
            self.machines.find(volume["attached_machine_id"])  # it may have been destroyed since
            volume = self.store.get("fly_volume", volume["id"]) or volume
        if volume["_deleted_at"] is not None and now >= volume["_deleted_at"] + LISTED_AFTER_DELETION:
            return None
        if volume["state"] == "hydrating" and now >= volume["_hydrated_at"]:
            volume["state"] = "created"
        if volume["_free_at"] is not None and now >= volume["_free_at"]:
            volume["attached_machine_id"] = volume["_free_at"] = None
        return self.store.put("fly_volume", volume["id"], volume)

    def _settled_snapshot(self, snapshot: Document) -> Document | None:
        age, takes = self.context.clock.now() - snapshot["_at"], self.context.delays.snapshot
        if age >= snapshot["retention_days"] * 86_400:
            return None
        status = "created" if age >= takes else "running" if age >= takes / 2 else "waiting"
        return {**snapshot, "status": snapshot.get("_status") or status}


def _check_limits(body: Document) -> None:
    size, days = body.get("size_gb"), body.get("snapshot_retention")
    if size is not None and not 1 <= size <= 500:
        raise bodies.refused("invalid_argument: volume size must be between 1 and 500 GB")
    if days is not None and not 1 <= days <= 60:
        raise bodies.refused("invalid_argument: snapshot retention must be between 1 and 60 days")
