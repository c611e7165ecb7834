"""Managed Postgres: clusters, and what is in them. Answers have an envelope, `data`; creating and deleting a cluster continue
after the response (https://fly.io/docs/mpg/)."""

from typing import Generic, TypeVar

import msgspec

from providers import waiting
from providers.errors import ErrorText, ProviderError
from providers.fly.api.client import Fly, FlyError, NotFound

T = TypeVar("T")

GONE = frozenset({"deleting", "deleted"})
FAILED = frozenset({"failed", "error"})
READY_SECONDS = 900.0
TOO_EARLY = 409
"""Fly's response while a backup cannot be restored yet, and while another backup runs."""


class Unusable(ProviderError):
    """The cluster has failed or is gone; the text says what to do."""

    __module__ = "builtins"


CLUSTER_GONE = ErrorText(
    "Postgres cluster {id} does not exist", remedy="run `pulumi refresh` and read its output", error=Unusable
)
CLUSTER_FAILED = ErrorText(
    "Fly could not create Postgres cluster {id}",
    remedy="look at it in the dashboard; `fly mpg destroy {id}`, then `pulumi refresh` and `pulumi up` create a new one",
    error=Unusable,
)


class Address(msgspec.Struct):
    host: str
    port: int


class Primary(msgspec.Struct):
    pooler: Address


class Endpoints(msgspec.Struct):
    primary: Primary


class Attached(msgspec.Struct):
    name: str


class Cluster(msgspec.Struct):
    id: str
    name: str
    status: str
    created_at: str = ""
    """RFC 3339, in UTC."""
    region: str | None = None
    plan: str | None = None
    disk_size_gb: int | None = None
    pg_major_version: str | None = None
    endpoints: Endpoints | None = None
    """Absent until the cluster is ready."""
    attached_apps: list[Attached] = []

    @property
    def is_gone(self) -> bool:
        return self.status in GONE


class Backup(msgspec.Struct):
    status: str
    id: str = ""
    finished_at: str = ""
    """RFC 3339; absent while it runs, as is `size_bytes`."""
    size_bytes: int = 0


class Database(msgspec.Struct):
    name: str


class User(msgspec.Struct):
    username: str
    role: str = ""


class Credentials(msgspec.Struct):
    username: str
    password: str


class Data(msgspec.Struct, Generic[T]):
    """The envelope of one object."""

    data: T


class Listed(msgspec.Struct, Generic[T]):
    """The envelope of a list."""

    data: list[T]


def path(id: str, rest: str = "") -> str:
    return f"/postgres/{id}{rest and f'/{rest}'}"


def look_up(fly: Fly, id: str) -> Cluster | None:
    """The cluster in whatever status; None when Fly no longer knows it."""
    try:
        return fly.call("GET", path(id), doing=f"look up Postgres cluster {id}", shape=Data[Cluster]).data
    except NotFound:
        return None


def find(fly: Fly, id: str) -> Cluster | None:
    """The cluster, or None when it is deleted or being deleted."""
    cluster = look_up(fly, id)
    return None if cluster is None or cluster.is_gone else cluster


def living(fly: Fly, org: str, name: str) -> list[Cluster]:
    """The clusters with that name in the organisation; names are not unique."""
    doing = f"list the Postgres clusters of organisation {org}"
    response = fly.call("GET", "/postgres", doing=doing, shape=Listed[Cluster], params={"org_slug": org})
    return [cluster for cluster in response.data if cluster.name == name and not cluster.is_gone]


def create(fly: Fly, org: str, name: str, *, region: str, plan: str, disk_size_gb: int, version: str) -> Cluster:
    body = {
        "org_slug": org,
        "name": name,
        "region": region,
        "plan": plan,
        "disk_size_gb": disk_size_gb,
        "pg_major_version": version,
    }
    doing = f"create Postgres cluster {name} in organisation {org}"
    return fly.call("POST", "/postgres", doing=doing, shape=Data[Cluster], body=body).data


def restore(fly: Fly, id: str, backup_id: str, name: str) -> Cluster | None:
    """A new cluster `name`, made from a backup; None while the backup cannot be restored yet."""
    doing = f"restore backup {backup_id} of Postgres cluster {id}"
    body = {"backup_id": backup_id, "name": name}
    try:
        return fly.call("POST", path(id, "restore"), doing=doing, shape=Data[Cluster], body=body).data
    except FlyError as error:
        if error.status != TOO_EARLY:
            raise
        return None


def delete(fly: Fly, id: str) -> None:
    """Start the deletion; succeeds when the cluster is gone (404) or already being deleted (410)."""
    fly.call("DELETE", path(id), doing=f"delete Postgres cluster {id}", accept=(404, 410), safe=True)


def wait_until_ready(fly: Fly, id: str) -> Cluster:
    """The cluster, once databases and users can be created in it. Raises Unusable or TimedOut."""
    seen = ""

    def ready() -> Cluster | None:
        nonlocal seen
        cluster = find(fly, id)
        if cluster is None:
            raise CLUSTER_GONE(id=id)
        seen = cluster.status
        if seen in FAILED:
            raise CLUSTER_FAILED(id=id)
        return cluster if seen == "ready" and cluster.endpoints else None

    return waiting.poll(
        ready,
        seconds=READY_SECONDS,
        waiting_for=f"Postgres cluster {id} to be ready",
        last_seen=lambda: seen,
        action="creating Postgres",
        first_pause=0.5,
        max_pause=10.0,
    )


def backups(fly: Fly, id: str) -> list[Backup]:
    doing = f"list the backups of Postgres cluster {id}"
    return fly.call("GET", path(id, "backups"), doing=doing, shape=Listed[Backup]).data


def take_backup(fly: Fly, id: str, type: str) -> None:
    """Start a backup. Idempotent: while one runs, Fly refuses a second one (409)."""
    doing = f"take a backup of Postgres cluster {id}"
    fly.call("POST", path(id, "backups"), doing=doing, body={"type": type}, accept=(TOO_EARLY,), safe=True)


def databases(fly: Fly, id: str) -> list[str]:
    """The names of the databases."""
    doing = f"list the databases of Postgres cluster {id}"
    return [
        database.name for database in fly.call("GET", path(id, "databases"), doing=doing, shape=Listed[Database]).data
    ]


def create_database(fly: Fly, id: str, name: str) -> None:
    doing = f"create database {name} in Postgres cluster {id}"
    fly.call("POST", path(id, "databases"), doing=doing, body={"name": name})


def role_of(fly: Fly, id: str, username: str) -> str | None:
    """The role of the user; None when there is no such user."""
    doing = f"list the users of Postgres cluster {id}"
    users = fly.call("GET", path(id, "users"), doing=doing, shape=Listed[User]).data
    return next((user.role for user in users if user.username == username), None)


def create_user(fly: Fly, id: str, username: str, role: str) -> None:
    """Create a user; succeeds when another client has just created it (409)."""
    doing = f"create user {username} in Postgres cluster {id}"
    fly.call("POST", path(id, "users"), doing=doing, body={"username": username, "role": role}, accept=(409,))


def set_role(fly: Fly, id: str, username: str, role: str) -> None:
    doing = f"give user {username} of Postgres cluster {id} the role {role}"
    fly.call("PATCH", path(id, f"users/{username}"), doing=doing, body={"role": role}, safe=True)


def delete_user(fly: Fly, id: str, username: str) -> None:
    doing = f"delete user {username} of Postgres cluster {id}"
    fly.call("DELETE", path(id, f"users/{username}"), doing=doing, accept=(404, 410), safe=True)


def credentials(fly: Fly, id: str, username: str) -> Credentials:
    doing = f"read the credentials of user {username} of Postgres cluster {id}"
    return fly.call("GET", path(id, f"users/{username}/credentials"), doing=doing, shape=Data[Credentials]).data


def attach(fly: Fly, id: str, app: str) -> None:
    """Attach the app. Idempotent."""
    doing = f"attach app {app} to Postgres cluster {id}"
    fly.call("POST", path(id, "attachments"), doing=doing, body={"app_name": app}, safe=True)


def detach(fly: Fly, id: str, app: str) -> None:
    doing = f"detach app {app} from Postgres cluster {id}"
    fly.call("DELETE", path(id, f"attachments/{app}"), doing=doing, accept=(404, 410), safe=True)
