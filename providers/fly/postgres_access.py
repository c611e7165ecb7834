"""An app's access to a Managed Postgres cluster: a database, a user, the attachment, and the URL to connect to.

Fly records an attachment and sets no secret: wire `url` to the app's `Secrets`. Creating one waits until the cluster is ready.
Removing one removes attachment and user; the database stays until the cluster is deleted.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal, cast
from urllib.parse import quote

from pulumi import Output

from providers.creation import create_idempotent
from providers.errors import Problem, ProblemText
from providers.fly.api import postgres
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES, SECRET, is_known
from providers.record import Input, Record, field
from providers.resource import Resource

DATABASE = r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
USER = r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
Role = Literal["schema_admin", "writer", "reader"]
FLYS_USER = "fly-user"
"""The user that Fly creates with each cluster: never deleted."""

BAD_DATABASE = ProblemText("database", "database '{name}' must be 1 to 63 letters, digits, hyphens and underscores")
BAD_USER = ProblemText(
    "username", "username '{name}' must be 1 to 63 lower-case letters, digits, hyphens and underscores"
)
OTHER_DATABASE = ProblemText(
    "database",
    "the server's database in Managed Postgres cannot change from {before} to {after}: it would be another, empty one",
    remedy="set the config key database.server to {before}",
)


class PostgresAccessArgs(Record):
    cluster_id: Annotated[Input[str], REPLACES]
    """Changing it creates database and user in the other cluster; no row is moved."""
    app: Annotated[Input[str], REPLACES]
    """Changing it attaches the other app and detaches this one."""
    database: Annotated[Input[str], REPLACES]
    """Created when it is missing. Cannot be changed."""
    username: Annotated[Input[str], REPLACES]
    """Created when it is missing. Changing it deletes the old one."""
    role: Input[Role] = field(default="schema_admin")
    """The user's rights: schema_admin (to migrate the schema), writer or reader. Changed in place."""


class PostgresAccessState(PostgresAccessArgs):
    url: Annotated[str, SECRET] = ""
    """`postgresql://…` through the pooler, with the password in it."""
    host: str = ""


class PostgresAccessProvider(FlyProvider[PostgresAccessArgs, PostgresAccessState]):
    Args = PostgresAccessArgs
    State = PostgresAccessState
    validates_unknown = True  # In a preview, the id of a new cluster is not known yet.

    def validate(self, args: PostgresAccessArgs, old: PostgresAccessArgs | None) -> Iterable[Problem]:
        if not is_known([args.database, args.username]):
            return
        if not re.fullmatch(DATABASE, args.database):
            yield BAD_DATABASE(name=args.database)
        if not re.fullmatch(USER, args.username):
            yield BAD_USER(name=args.username)
        if old and old.database not in (None, args.database):
            yield OTHER_DATABASE(before=old.database, after=args.database)

    def ensure(self, args: PostgresAccessArgs) -> tuple[str, PostgresAccessState]:
        return f"{args.cluster_id}/{args.app}/{args.username}", self._grant(args)

    def observe(self, id: str, state: PostgresAccessState) -> PostgresAccessState | None:
        cluster = postgres.find(self.fly, state.cluster_id)
        if cluster is None or state.app not in {app.name for app in cluster.attached_apps}:
            return None
        role = postgres.role_of(self.fly, state.cluster_id, state.username)
        if role is None or not self._has_database(state):
            return None
        return self._state(state, cluster, role)

    def sync(self, id: str, state: PostgresAccessState, args: PostgresAccessArgs) -> PostgresAccessState:
        return self._grant(args)

    def remove(self, id: str, state: PostgresAccessState) -> None:
        if postgres.find(self.fly, state.cluster_id) is None:
            return
        postgres.detach(self.fly, state.cluster_id, state.app)
        if state.username != FLYS_USER:
            postgres.delete_user(self.fly, state.cluster_id, state.username)

    def _grant(self, args: PostgresAccessArgs) -> PostgresAccessState:
        """Create what is missing; each object is looked up first."""
        fly, id = self.fly, args.cluster_id
        cluster = postgres.wait_until_ready(fly, id)
        if not self._has_database(args):
            what = f"database {args.database} of Postgres cluster {id}"
            create_idempotent(lambda: self._create_database(args), lambda: self._has_database(args) or None, what=what)
        role = postgres.role_of(fly, id, args.username)
        if role is None:
            what = f"user {args.username} of Postgres cluster {id}"
            create_idempotent(
                lambda: self._create_user(args), lambda: postgres.role_of(fly, id, args.username), what=what
            )
        elif role != args.role:
            postgres.set_role(fly, id, args.username, args.role)
        postgres.attach(fly, id, args.app)
        return self._state(args, cluster, args.role)

    def _has_database(self, args: PostgresAccessArgs) -> bool:
        return args.database in postgres.databases(self.fly, args.cluster_id)

    def _create_database(self, args: PostgresAccessArgs) -> bool:
        postgres.create_database(self.fly, args.cluster_id, args.database)
        return True

    def _create_user(self, args: PostgresAccessArgs) -> str:
        postgres.create_user(self.fly, args.cluster_id, args.username, args.role)
        return args.role

    def _state(self, args: PostgresAccessArgs, cluster: "postgres.Cluster", role: str) -> PostgresAccessState:
        credentials = postgres.credentials(self.fly, args.cluster_id, args.username)
        assert cluster.endpoints, "a cluster that is ready has endpoints"
        pooler = cluster.endpoints.primary.pooler
        user, password = quote(credentials.username, safe=""), quote(credentials.password, safe="")
        return PostgresAccessState(
            cluster_id=args.cluster_id,
            app=args.app,
            database=args.database,
            username=args.username,
            role=cast("Role", role),  # Another role than these is a difference too.
            url=f"postgresql://{user}:{password}@{pooler.host}:{pooler.port}/{args.database}",
            host=pooler.host,
        )


class PostgresAccess(Resource[PostgresAccessArgs], module="fly", name="PostgresAccess"):
    """Database, user and attachment of one app; its id is `cluster/app/user`.

    role: changed in place. cluster_id, app, username: changing them replaces; no row is moved. database: a change is refused in the
    preview.
    """

    provider = PostgresAccessProvider

    cluster_id: Output[str]
    url: Output[str]
    host: Output[str]
