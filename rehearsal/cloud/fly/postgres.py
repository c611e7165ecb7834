"""Managed Postgres: clusters, which do not belong to an app, with their databases, users, backups and attachments.

The content of a database is a folder (`Disks.database`). The server in a machine gets it if its DATABASE_URL names a cluster, one
of its databases, and a user with the correct password (`databases`). Documents: `fly_postgres` by the id of the cluster.
"""

import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import FlyApi, forbidden
from rehearsal.cloud.fly.formats import random_id, rfc3339
from rehearsal.cloud.service import Refusal, route
from rehearsal.cloud.store import Document

CREATE = {
    "org_slug": str,
    "plan": str,
    "region": str,
    "name": str,
    "disk_size_gb": int,
    "pg_major_version": str,
    "pool_mode": str,
    "postgis_enabled": bool,
}
PLANS = {
    "basic": ("shared", 2, 1024),
    "starter": ("shared", 2, 2048),
    "launch": ("performance", 2, 8192),
    "scale": ("performance", 4, 32768),
    "performance": ("performance", 8, 65536),
}
ROLES = ("schema_admin", "writer", "reader")
BACKUPS = ("full", "incr", "diff")
DATABASE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
USER = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
RESERVED = ("postgres", "template0", "template1", "pgbouncer", "replicator")
PASSWORD_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz0123456789"
RETRY_SECONDS = "1"


class Postgres(FlyApi):
    """`/v1/postgres`."""

    @route("GET", "/v1/postgres")
    def list_clusters(self, request: Request) -> Any:
        org = self._org(request, request.args.get("org_slug"))
        return {
            "data": [
                self._cluster_summary(cluster)
                for cluster in self.store.all("fly_postgres", _org=org)
                if not self._is_gone(cluster) and not self.is_lagging(cluster["_created"])
            ]
        }

    @route("POST", "/v1/postgres")
    def create_cluster(self, request: Request) -> Any:
        body = bodies.read(request, CREATE, "createPostgresClusterRequest")
        org = self._org(request, body.get("org_slug"))
        plan = (body.get("plan") or "").lower()
        if plan not in PLANS:
            raise _refused(422, "plan is invalid")
        if not 10 <= body.get("disk_size_gb", 10) <= 1000:
            raise _refused(422, "disk_size_gb must be between 10 and 1000")
        if body.get("pg_major_version", "16") not in ("16", "17"):
            raise _refused(422, "pg_major_version is invalid")
        if body.get("pool_mode", "session") not in ("session", "transaction"):
            raise _refused(422, "pool_mode is invalid")
        about = {
            "name": body.get("name") or f"mpg-{random_id(6)}",
            "plan": plan,
            "region": self.region(body.get("region")),
            "disk_size_gb": body.get("disk_size_gb", 10),
            "pg_major_version": body.get("pg_major_version", "16"),
            "postgis_enabled": body.get("postgis_enabled", False),
            "_org": org,
            "_databases": ["fly-db"],
            "_users": {"fly-user": {"role": "schema_admin", "password": _password()}},
        }
        return {"data": self._shown_cluster(self._new_cluster(about))}, 201, {}

    def _new_cluster(self, about: Document) -> Document:
        """Store a new cluster, whose creation begins now."""
        fresh: Document = {
            "_created": self.context.clock.now(),
            "_gone_at": None,
            "_failed": "",
            "_attached": [],
            "_backups": [],
        }
        id = random_id(16)
        return self.store.put("fly_postgres", id, {"id": id, **about, **fresh})

    @route("GET", "/v1/postgres/<id>")
    def get_cluster(self, request: Request, id: str) -> Any:
        return {"data": self._shown_cluster(self._cluster(request, id))}

    @route("DELETE", "/v1/postgres/<id>")
    def delete_cluster(self, request: Request, id: str) -> Any:
        with self.store.transaction():
            cluster = self._existing_cluster(request, id)
            gone_at = self.context.clock.now() + self.context.delays.postgres_gone
            self.store.put("fly_postgres", id, {**cluster, "_gone_at": gone_at})
        return None, 202, {}

    @route("POST", "/v1/postgres/<id>/attachments")
    def attach(self, request: Request, id: str) -> Any:
        app = bodies.read(request, {"app_name": str}, "createPostgresAttachmentRequest").get("app_name") or ""
        with self.store.transaction():
            cluster = self._existing_cluster(request, id)
            if self.living_app(app) is None:
                raise _refused(404, "App not found")
            known = app in cluster["_attached"]
            if not known:
                self.store.put("fly_postgres", id, {**cluster, "_attached": [*cluster["_attached"], app]})
        attachment = {"app_name": app, "postgres_cluster_id": id, "attached_at": rfc3339(self.context.clock.now())}
        return {"data": attachment}, 200 if known else 201, {}

    @route("DELETE", "/v1/postgres/<id>/attachments/<app>")
    def detach(self, request: Request, id: str, app: str) -> Any:
        with self.store.transaction():
            cluster = self._existing_cluster(request, id)
            if app not in cluster["_attached"]:
                raise _refused(404, "Attachment not found")
            kept = [attached for attached in cluster["_attached"] if attached != app]
            self.store.put("fly_postgres", id, {**cluster, "_attached": kept})
        return None, 204, {}

    @route("GET", "/v1/postgres/<id>/backups")
    def list_backups(self, request: Request, id: str) -> Any:
        cluster = self._cluster(request, id)
        return {"data": [self._backup(backup) for backup in cluster["_backups"]]}

    @route("POST", "/v1/postgres/<id>/backups")
    def take_backup(self, request: Request, id: str) -> Any:
        kind = bodies.read(request, {"type": str}, "createPostgresBackupRequest").get("type")
        if kind not in BACKUPS:
            raise _refused(422, "type is invalid")
        with self.store.transaction():
            cluster = self._ready_cluster(request, id)
            if any(self._backup(found)["status"] == "running" for found in cluster["_backups"]):
                raise _refused(409, "A backup is currently running")
            held = {name: cluster[name] for name in ("_databases", "_users")}
            number = f"{random_id(14, '0123456789')}{kind[0].upper()}"
            backup = {"id": number, "type": kind, "_at": self.context.clock.now(), "_held": held}
            self.machines.disks.back_up(id, number)
            self.store.put("fly_postgres", id, {**cluster, "_backups": [*cluster["_backups"], backup]})
        return None, 202, {}

    @route("POST", "/v1/postgres/<id>/restore")
    def restore(self, request: Request, id: str) -> Any:
        shape = {"backup_id": str, "pitr_time": str, "name": str}
        body = bodies.read(request, shape, "restorePostgresClusterRequest")
        wanted = body.get("backup_id")
        if not wanted:
            raise _refused(422, "backup_id is missing; the double does not restore to a point in time")
        with self.store.transaction():
            source = self._ready_cluster(request, id)
            found = [backup for backup in source["_backups"] if backup["id"] == wanted]
            if not found or self._backup(found[0])["status"] != "completed":
                raise _refused(404, f"Backup {wanted} not found for cluster {id}")
            same = ("plan", "region", "disk_size_gb", "pg_major_version", "postgis_enabled", "_org")
            about = {key: source[key] for key in same} | found[0]["_held"]
            cluster = self._new_cluster({**about, "name": body.get("name") or f"{source['name']}-restored"})
            self.machines.disks.restore_backup(id, wanted, cluster["id"])
        return {"data": self._shown_cluster(cluster)}, 201, {}

    @route("GET", "/v1/postgres/<id>/databases")
    def list_databases(self, request: Request, id: str) -> Any:
        return {"data": [{"name": name} for name in self._ready_cluster(request, id)["_databases"]]}

    @route("POST", "/v1/postgres/<id>/databases")
    def create_database(self, request: Request, id: str) -> Any:
        name = bodies.read(request, {"name": str}, "createPostgresDatabaseRequest").get("name")
        if not name:
            raise _refused(422, "name is required")
        with self.store.transaction():
            cluster = self._ready_cluster(request, id)
            if name in RESERVED or not DATABASE.fullmatch(name):
                raise _refused(400, "Database name is reserved, a system database, or malformed")
            if name in cluster["_databases"]:
                raise _refused(422, "name has already been taken")
            self.store.put("fly_postgres", id, {**cluster, "_databases": [*cluster["_databases"], name]})
        return {"data": {"name": name}}, 201, {}

    @route("GET", "/v1/postgres/<id>/users")
    def list_users(self, request: Request, id: str) -> Any:
        users = self._ready_cluster(request, id)["_users"]
        return {"data": [{"username": name, "role": user["role"]} for name, user in users.items()]}

    @route("POST", "/v1/postgres/<id>/users")
    def create_user(self, request: Request, id: str) -> Any:
        body = bodies.read(request, {"username": str, "role": str}, "createPostgresUserRequest")
        name, role = body.get("username"), body.get("role")
        if not name or role not in ROLES:
            raise _refused(422, "username or role is missing, or role is invalid")

        def add(cluster: Document) -> None:
            if name in RESERVED or not USER.fullmatch(name):
                raise _refused(400, "Username is reserved, a system user, or malformed")
            if name in cluster["_users"]:
                raise _refused(409, "User already exists")
            cluster["_users"][name] = {"role": role, "password": _password()}

        self._change_cluster(request, id, add)
        return {"data": {"username": name, "role": role}}, 201, {}

    @route("PATCH", "/v1/postgres/<id>/users/<name>")
    def change_role(self, request: Request, id: str, name: str) -> Any:
        role = bodies.read(request, {"role": str}, "updatePostgresUserRoleRequest").get("role")
        if role not in ROLES:
            raise _refused(422, "role is missing or invalid")
        self._change_cluster(request, id, lambda cluster: _user(cluster, name).update(role=role))
        return None, 204, {}

    @route("DELETE", "/v1/postgres/<id>/users/<name>")
    def delete_user(self, request: Request, id: str, name: str) -> Any:
        self._change_cluster(request, id, lambda cluster: cluster["_users"].pop(_user(cluster, name) and name))
        return None, 204, {}

    @route("GET", "/v1/postgres/<id>/users/<name>/credentials")
    def get_credentials(self, request: Request, id: str, name: str) -> Any:
        user = _user(self._ready_cluster(request, id), name)
        return {"data": {"username": name, "password": user["password"]}}

    @route("POST", "/v1/postgres/<id>/users/<name>/rotate_password")
    def rotate_password(self, request: Request, id: str, name: str) -> Any:
        bodies.read(request, {"kill_sessions": bool}, "rotatePostgresPasswordRequest")
        self._change_cluster(request, id, lambda cluster: _user(cluster, name).update(password=_password()))
        return self.get_credentials(request, id, name)

    # Lookups.

    def _org(self, request: Request, slug: str | None) -> str:
        mine = str(self.token(request)["org"])
        if not slug:
            raise _refused(400, "org_slug is required and must be a string")
        if slug not in (mine, "personal"):
            raise _refused(404, "Organization not found")
        return mine

    def _cluster(self, request: Request, id: str) -> Document:
        cluster = self.store.get("fly_postgres", id)
        if cluster is None or self._is_gone(cluster):
            raise _refused(404, "Cluster not found")
        if cluster["_org"] != self.token(request)["org"]:
            raise forbidden()
        self.limit("postgres", id, (5.0, 20))
        return cluster

    def _existing_cluster(self, request: Request, id: str) -> Document:
        cluster = self._cluster(request, id)
        if cluster["_gone_at"] is not None:
            raise _refused(410, "This cluster is being deleted")
        return cluster

    def _ready_cluster(self, request: Request, id: str) -> Document:
        """The cluster, once it is ready: until then requests about databases, users and backups get 503."""
        cluster = self._existing_cluster(request, id)
        if self._cluster_status(cluster) != "ready":
            raise Refusal({"error": "pg-admin is unavailable"}, 503, {"Retry-After": RETRY_SECONDS})
        return cluster

    def _change_cluster(self, request: Request, id: str, change: Callable[[Document], object]) -> None:
        with self.store.transaction():
            cluster = self._ready_cluster(request, id)
            change(cluster)
            self.store.put("fly_postgres", id, cluster)

    def _is_gone(self, cluster: Document) -> bool:
        """Whether the deletion of a cluster is complete; deletes its content then."""
        if cluster["_gone_at"] is None or self.context.clock.now() < cluster["_gone_at"]:
            return False
        self.store.delete("fly_postgres", cluster["id"])
        self.machines.disks.drop_cluster(cluster["id"])
        return True

    def _cluster_status(self, cluster: Document) -> str:
        if cluster["_gone_at"] is not None:
            return "deleting"
        age, ready = self.context.clock.now() - cluster["_created"], self.context.delays.postgres_ready
        if age < ready:
            return "creating" if age < ready / 2 else "initializing"
        return cluster["_failed"] or "ready"

    def _cluster_summary(self, cluster: Document) -> Document:
        summary = {key: cluster[key] for key in ("id", "name", "plan", "region")}
        attached = [{"name": app} for app in cluster["_attached"]]
        summary |= {"status": self._cluster_status(cluster), "attached_apps": attached}
        return {**summary, "created_at": rfc3339(cluster["_created"])}

    def _shown_cluster(self, cluster: Document) -> Document:
        kind, cpus, memory = PLANS[cluster["plan"]]
        shown = {
            **self._cluster_summary(cluster),
            "organization": {"slug": cluster["_org"], "name": cluster["_org"]},
            "disk_size_gb": cluster["disk_size_gb"],
            "pg_major_version": cluster["pg_major_version"],
            "postgis_enabled": cluster["postgis_enabled"],
            "cpu_kind": kind,
            "cpus": cpus,
            "memory_mb": memory,
            "replicas": 1,
            "storage_used_bytes": None,
            "storage_provisioned_bytes": None,
            "endpoints": None,
        }
        if shown["status"] == "ready":
            direct, pooler = (
                {"host": f"{kind}.{cluster['id']}.flympg.net", "port": 5432} for kind in ("direct", "pgbouncer")
            )
            shown["endpoints"] = {"primary": {"direct": direct, "pooler": pooler}}
        return shown

    def _backup(self, backup: Document) -> Document:
        done_at = backup["_at"] + self.context.delays.postgres_backup
        done = self.context.clock.now() >= done_at
        return {
            "id": backup["id"],
            "type": backup["type"],
            "status": "completed" if done else "running",
            "started_at": rfc3339(backup["_at"]),
            "finished_at": rfc3339(done_at) if done else None,
            "size_bytes": 8 << 20 if done else None,
        }


def _user(cluster: Document, name: str) -> Document:
    if name not in cluster["_users"]:
        raise _refused(404, "User not found")
    user: Document = cluster["_users"][name]
    return user


def _password() -> str:
    return random_id(24, PASSWORD_ALPHABET)


def _refused(status: int, text: str) -> Refusal:
    """An error in the format of this part of the API: without `status`."""
    return Refusal({"error": text}, status)
