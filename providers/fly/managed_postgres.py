"""A Managed Postgres cluster. It belongs to the organisation: deleting an app does not delete it, and its costs continue.

Creating one takes minutes after this resource exists; `PostgresAccess` waits for it. Fly's API cannot change a cluster, so a change
is refused in the preview, with the way to make it in the dashboard (https://fly.io/docs/mpg/).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec.structs import replace
from pulumi import Output

from providers import waiting
from providers.adoption import Adoptable
from providers.creation import create_idempotent, keep_first
from providers.errors import ErrorText, Problem, ProblemText
from providers.fly.api import postgres
from providers.fly.lost import VARIABLE, is_lost
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field
from providers.resource import Resource

NAME = r"[a-z][a-z0-9-]{0,61}[a-z0-9]"
PLANS = ("basic", "starter", "launch", "scale", "performance")
GONE_SECONDS = 300.0

Version = Literal["16", "17"]

BAD_NAME = ProblemText("name", "name '{name}' must be 2 to 63 lower-case letters, digits and dashes")
BAD_PLAN = ProblemText("plan", "plan must be one of {plans}, not '{plan}'")
BAD_SIZE = ProblemText("disk_size_gb", "disk_size_gb must be 10 to 1000, not {size}")
OTHER_CLUSTER = ProblemText(
    "name",
    "{field} cannot change from {before} to {after}: that would be another, empty cluster",
    remedy="create a second cluster from a backup of this one, move the app to it, and only then remove this one",
)
DASHBOARD_ONLY = ProblemText(
    "plan",
    "{field} cannot change from {before} to {after} here, because Fly's API has no call for it",
    remedy="change it in the cluster's dashboard, run `pulumi refresh`, and set it to the new value",
)
EXISTS = ErrorText(
    "Postgres cluster {name} ({id}) exists already, with {found}",
    remedy="set the configuration to what it has, or choose another name",
)
GONE = ErrorText("Postgres cluster {id} does not exist", remedy="run `pulumi refresh` and read its output")
LOST = ErrorText(
    "Postgres cluster {name} ({id}) is gone, and `pulumi up` would create an empty one in its place",
    remedy="restore a backup into a cluster of the same name first (infra-docs/BACKUPS.md); to begin with an empty one on purpose, run "
    f"`{VARIABLE}={{id}} pulumi up --refresh`",
)
SEVERAL = ErrorText(
    "organisation {org} has {count} Postgres clusters {name}: {ids}",
    remedy="delete all but the one with the data (`fly mpg list`, `fly mpg destroy`)",
)


class ManagedPostgresArgs(Adoptable):
    org: Annotated[Input[str], REPLACES]
    """Slug of the organisation. Changing it creates a new, empty cluster and deletes this one."""
    name: Input[str]
    """The natural key of the cluster. Cannot be changed."""
    region: Input[str]
    """Cannot be changed."""
    plan: Input[str] = field(default="basic")
    """basic, starter, launch, scale or performance. Changed in the dashboard."""
    disk_size_gb: Input[int] = field(default=10)
    """The least size in GB, 10 to 1000. A larger cluster keeps its size; grown in the dashboard."""
    pg_major_version: Input[Version] = field(default="17")
    """Cannot be changed."""


class ManagedPostgresState(ManagedPostgresArgs):
    status: str = ""
    """As last seen: creating, initializing, ready or failed."""


class ManagedPostgresProvider(FlyProvider[ManagedPostgresArgs, ManagedPostgresState]):
    Args = ManagedPostgresArgs
    State = ManagedPostgresState

    def validate(self, args: ManagedPostgresArgs, old: ManagedPostgresArgs | None) -> Iterable[Problem]:
        if not re.fullmatch(NAME, args.name):
            yield BAD_NAME(name=args.name)
        yield from problems(args.plan, args.disk_size_gb)
        if old is None or old.org != args.org:
            return
        for name, text in (
            *((name, OTHER_CLUSTER) for name in ("name", "region", "pg_major_version")),
            *((name, DASHBOARD_ONLY) for name in ("plan", "disk_size_gb")),
        ):
            before, after = getattr(old, name), getattr(args, name)
            if before not in (None, after):
                yield replace(text(field=name, before=before, after=after), key=name)

    def ensure(self, args: ManagedPostgresArgs) -> tuple[str, ManagedPostgresState]:
        def find() -> "postgres.Cluster | None":
            return self._find_own(args)

        found = find() or keep_first(
            create_idempotent(lambda: self._create(args), find, what=f"Postgres cluster {args.name}"),
            lambda: postgres.living(self.fly, args.org, args.name),
            key=lambda each: each.id,
            delete=lambda each: postgres.delete(self.fly, each.id),
        )
        cluster = postgres.find(self.fly, found.id) or found
        state = _state(args, cluster)
        other = [
            f"{name} {getattr(state, name)}"
            for name in self.changed_fields(state, args)
            if getattr(cluster, name, None) is not None
        ]
        if other:
            raise EXISTS(name=args.name, id=found.id, found=", ".join(other))
        return found.id, state

    def observe(self, id: str, state: ManagedPostgresState) -> ManagedPostgresState | None:
        cluster = postgres.find(self.fly, id)
        if cluster is None and not is_lost(id, state.region) and not self._find_own(state):
            raise LOST(id=id, name=state.name)
        return _state(state, cluster) if cluster else None

    def sync(self, id: str, state: ManagedPostgresState, args: ManagedPostgresArgs) -> ManagedPostgresState:
        cluster = postgres.find(self.fly, id)
        if cluster is None:
            raise GONE(id=id)
        return _state(args, cluster)

    def remove(self, id: str, state: ManagedPostgresState) -> None:
        def gone() -> bool | None:
            cluster = postgres.look_up(self.fly, id)
            return True if cluster is None or cluster.status == "deleted" else None

        postgres.delete(self.fly, id)
        waiting.poll(
            gone,
            seconds=GONE_SECONDS,
            waiting_for=f"Postgres cluster {id} to be deleted",
            action="deleting Postgres",
            remedy="run `pulumi destroy` again",
        )

    def _find_own(self, args: ManagedPostgresArgs) -> "postgres.Cluster | None":
        """The only cluster with that name. Raises when there are several: it never guesses."""
        found = postgres.living(self.fly, args.org, args.name)
        if len(found) > 1:
            ids = ", ".join(cluster.id for cluster in found)
            raise SEVERAL(org=args.org, count=len(found), name=args.name, ids=ids)
        return found[0] if found else None

    def _create(self, args: ManagedPostgresArgs) -> "postgres.Cluster":
        return postgres.create(
            self.fly,
            args.org,
            args.name,
            region=args.region,
            plan=args.plan,
            disk_size_gb=args.disk_size_gb,
            version=args.pg_major_version,
        )


def problems(plan: str, disk_size_gb: int) -> Iterable[Problem]:
    """What is wrong with a plan and a size."""
    if plan not in PLANS:
        yield BAD_PLAN(plans=", ".join(PLANS), plan=plan)
    if not 10 <= disk_size_gb <= 1000:
        yield BAD_SIZE(size=disk_size_gb)


def _state(args: ManagedPostgresArgs, cluster: "postgres.Cluster") -> ManagedPostgresState:
    """`disk_size_gb` is a lower bound: a larger cluster shows the size that was asked for. What Fly's response to a creation leaves
    out is as it was asked for."""
    size = cluster.disk_size_gb or args.disk_size_gb
    return ManagedPostgresState(
        org=args.org,
        name=cluster.name,
        region=cluster.region or args.region,
        plan=(cluster.plan or args.plan).lower(),
        disk_size_gb=min(args.disk_size_gb or size, size),
        pg_major_version="16" if (cluster.pg_major_version or args.pg_major_version) == "16" else "17",
        status=cluster.status,
    )


class ManagedPostgres(Resource[ManagedPostgresArgs], module="fly", name="ManagedPostgres"):
    """A Managed Postgres cluster; its id is Fly's. org: changing it replaces. Every other change is refused in the preview."""

    provider = ManagedPostgresProvider

    name: Output[str]
    region: Output[str]
    plan: Output[str]
    status: Output[str]
