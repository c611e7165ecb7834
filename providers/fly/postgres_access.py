"""An app's access to a Managed Postgres cluster: a database, a user of its own, the attachment, and the address to connect to.

Fly records an attachment and sets no secret (fly.md, section 11): wire `url` to the app's `Secrets`. Making one waits until the
cluster is ready. Removing one takes attachment and user away; the database stays, and goes with the cluster.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pulumi import Output

from providers import engine
from providers.fly.api import postgres
from providers.fly.api.client import FlyError
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES, SECRET
from providers.record import Input, field, record
from providers.resource import Resource

DATABASE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
USER = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
FLYS_USER = "fly-user"
"""The user that each cluster is born with: never deleted."""

Role = Literal["schema_admin", "writer", "reader"]


@record
class PostgresAccessArgs:
    cluster_id: Annotated[Input[str], REPLACES]
    """Changing it makes database and user in the other cluster; no row is moved."""
    app: Annotated[Input[str], REPLACES]
    """Changing it attaches the other app and detaches this one."""
    database: Annotated[Input[str], REPLACES]
    """Made when it is missing. Changing it leaves the old one where it is."""
    username: Annotated[Input[str], REPLACES]
    """Made when it is missing. Changing it deletes the old one."""
    role: Input[Role] = field(default="schema_admin")
    """What the user may: schema_admin (whoever migrates the schema), writer or reader. Changed in place."""


@record
class PostgresAccessState(PostgresAccessArgs):
    url: Annotated[str, SECRET] = ""
    """`postgresql://…` through the pooler, with the password in it."""
    host: str = ""


class PostgresAccessProvider(FlyProvider[PostgresAccessArgs, PostgresAccessState]):
    Args = PostgresAccessArgs
    State = PostgresAccessState

    def validate(self, args: PostgresAccessArgs, old: PostgresAccessArgs | None) -> Iterable[str]:
        if not DATABASE.fullmatch(args.database):
            yield f"database {args.database!r} must be 1 to 63 letters, digits, hyphens and underscores"
        if not USER.fullmatch(args.username):
            yield f"username {args.username!r} must be 1 to 63 lower-case letters, digits, hyphens and underscores"

    def ensure(self, args: PostgresAccessArgs) -> tuple[str, PostgresAccessState]:
        return f"{args.cluster_id}/{args.app}/{args.username}", self._grant(args)

    def observe(self, id: str, state: PostgresAccessState) -> PostgresAccessState | None:
        cluster = postgres.find(self.fly, state.cluster_id)
        attached = {one["name"] for one in (cluster or {}).get("attached_apps") or ()}
        if cluster is None or state.app not in attached:
            return None
        role = self._role(state)
        if role is None or not self._has_database(state):
            return None
        return self._state(state, cluster, role)

    def sync(self, id: str, state: PostgresAccessState, args: PostgresAccessArgs) -> PostgresAccessState:
        return self._grant(args)

    def remove(self, id: str, state: PostgresAccessState) -> None:
        if postgres.find(self.fly, state.cluster_id) is None:
            return
        self.fly.call(
            "DELETE",
            f"/postgres/{state.cluster_id}/attachments/{state.app}",
            doing=f"detach the app {state.app!r} from the Postgres cluster {state.cluster_id}",
            accept=(404, 410),
            safe=True,
        )
        if state.username != FLYS_USER:
            self.fly.call(
                "DELETE",
                self._path(state, f"users/{state.username}"),
                doing=f"delete the user {state.username!r} of the Postgres cluster {state.cluster_id}",
                accept=(404, 410),
                safe=True,
            )

    def _grant(self, args: PostgresAccessArgs) -> PostgresAccessState:
        """Everything that is missing, each looked for before it is made."""
        cluster = postgres.wait_until_ready(self.fly, args.cluster_id, progress=engine.progress())
        what = f"the database {args.database!r} of the Postgres cluster {args.cluster_id}"
        if not self._has_database(args):
            make_once(lambda: self._make_database(args), lambda: self._has_database(args) or None, what=what)
        role = self._role(args)
        if role is None:
            who = f"the user {args.username!r} of the Postgres cluster {args.cluster_id}"
            make_once(lambda: self._make_user(args), lambda: self._role(args), what=who)
        elif role != args.role:
            self.fly.call(
                "PATCH",
                self._path(args, f"users/{args.username}"),
                doing=f"make the user {args.username!r} a {args.role}",
                body={"role": args.role},
                safe=True,
            )
        self.fly.call(
            "POST",
            self._path(args, "attachments"),
            doing=f"attach the app {args.app!r} to the Postgres cluster {args.cluster_id}",
            body={"app_name": args.app},
            safe=True,
        )
        return self._state(args, cluster, args.role)

    def _has_database(self, args: PostgresAccessArgs) -> bool:
        return any(one["name"] == args.database for one in self._list(args, "databases"))

    def _role(self, args: PostgresAccessArgs) -> Role | None:
        return next((one["role"] for one in self._list(args, "users") if one["username"] == args.username), None)

    def _list(self, args: PostgresAccessArgs, what: str) -> list[dict[str, Any]]:
        answer = self.fly.call(
            "GET", self._path(args, what), doing=f"list the {what} of the Postgres cluster {args.cluster_id}"
        )
        return list(answer.get("data") or ())

    def _make_database(self, args: PostgresAccessArgs) -> bool:
        self.fly.call(
            "POST",
            self._path(args, "databases"),
            doing=f"create the database {args.database!r} in the Postgres cluster {args.cluster_id}",
            body={"name": args.database},
        )
        return True

    def _make_user(self, args: PostgresAccessArgs) -> Role:
        try:
            self.fly.call(
                "POST",
                self._path(args, "users"),
                doing=f"create the user {args.username!r} in the Postgres cluster {args.cluster_id}",
                body={"username": args.username, "role": args.role},
            )
        except FlyError as error:
            if error.status != 409:  # Somebody else has just made it.
                raise
        return args.role

    def _state(self, args: PostgresAccessArgs, cluster: dict[str, Any], role: Role) -> PostgresAccessState:
        credentials = self.fly.call(
            "GET",
            self._path(args, f"users/{args.username}/credentials"),
            doing=f"read the credentials of the user {args.username!r} of the Postgres cluster {args.cluster_id}",
        )["data"]
        pooler = cluster["endpoints"]["primary"]["pooler"]
        user, password = quote(credentials["username"], safe=""), quote(credentials["password"], safe="")
        return PostgresAccessState(
            cluster_id=args.cluster_id,
            app=args.app,
            database=args.database,
            username=args.username,
            role=role,
            url=f"postgresql://{user}:{password}@{pooler['host']}:{pooler['port']}/{args.database}",
            host=pooler["host"],
        )

    @staticmethod
    def _path(args: PostgresAccessArgs, rest: str) -> str:
        return f"/postgres/{args.cluster_id}/{rest}"


class PostgresAccess(Resource[PostgresAccessArgs], module="fly", name="PostgresAccess"):
    """Database, user and attachment of one app; its id is `cluster/app/user`.

    role: changed in place. cluster_id, app, database, username: changing them replaces; no row is moved.
    """

    provider = PostgresAccessProvider

    cluster_id: Output[str]
    url: Output[str]
    host: Output[str]
