"""A Managed Postgres cluster. It belongs to the organisation: deleting an app leaves it, and its bill, alone.

Making one is asked for here and takes minutes; `PostgresAccess` waits for it. Fly's API cannot change a cluster, so a change is
refused at preview, with the way to make it in the dashboard (fly.md, section 11).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pulumi import Output

from providers import waiting
from providers.errors import ProviderError
from providers.fly.api import postgres
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

NAME = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")
PLANS = ("basic", "starter", "launch", "scale", "performance")
GONE_SECONDS = 300.0

Version = Literal["16", "17"]


@record
class ManagedPostgresArgs:
    org: Annotated[Input[str], REPLACES]
    """Slug of the organisation. Changing it makes a new, empty cluster and deletes this one."""
    name: Input[str]
    """By which the cluster is found again. Cannot be changed."""
    region: Input[str]
    """Cannot be changed."""
    plan: Input[str] = field(default="basic")
    """basic, starter, launch, scale or performance. Changed in the dashboard."""
    disk_size_gb: Input[int] = field(default=10)
    """At least so many GB, 10 to 1000. A cluster that is larger is left as large; grown in the dashboard."""
    pg_major_version: Input[Version] = field(default="17")
    """Cannot be changed."""


@record
class ManagedPostgresState(ManagedPostgresArgs):
    status: str = ""
    """As last seen: creating, initializing, ready or failed."""


class ManagedPostgresProvider(FlyProvider[ManagedPostgresArgs, ManagedPostgresState]):
    Args = ManagedPostgresArgs
    State = ManagedPostgresState

    def validate(self, args: ManagedPostgresArgs, old: ManagedPostgresArgs | None) -> Iterable[str]:
        if not NAME.fullmatch(args.name):
            yield f"name {args.name!r} must be 2 to 63 lower-case letters, digits and dashes"
        yield from problems(args.plan, args.disk_size_gb)
        if old is None or old.org != args.org:
            return
        for name in ("name", "region", "pg_major_version"):
            before, after = getattr(old, name), getattr(args, name)
            if before not in (None, after):
                yield (
                    f"{name} cannot go from {before} to {after}: that would be another, empty cluster; make a second one "
                    "from a backup of this one, move the app to it, and only then remove this one"
                )
        for name in ("plan", "disk_size_gb"):
            before, after = getattr(old, name), getattr(args, name)
            if before not in (None, after):
                yield (
                    f"{name} cannot go from {before} to {after} from here, Fly's API has no call for it: change it in the "
                    f"cluster's dashboard, run `pulumi refresh`, and set it to what the cluster then has"
                )

    def ensure(self, args: ManagedPostgresArgs) -> tuple[str, ManagedPostgresState]:
        def find() -> dict[str, Any] | None:
            return self._find_own(args)

        made = find() or make_once(lambda: self._make(args), find, what=f"the Postgres cluster {args.name!r}")
        cluster = postgres.find(self.fly, made["id"]) or made
        state = _state(args, cluster)
        other = [
            f"{name} {getattr(state, name)}"
            for name in self.changed_fields(state, args)
            if cluster.get(name) is not None
        ]
        if other:
            raise ProviderError(
                f"the Postgres cluster {args.name!r} ({made['id']}) exists already, with {', '.join(other)}: set the "
                "configuration to what it has, or choose another name"
            )
        return made["id"], state

    def observe(self, id: str, state: ManagedPostgresState) -> ManagedPostgresState | None:
        cluster = postgres.find(self.fly, id)
        return _state(state, cluster) if cluster else None

    def sync(self, id: str, state: ManagedPostgresState, args: ManagedPostgresArgs) -> ManagedPostgresState:
        cluster = postgres.find(self.fly, id)
        if cluster is None:
            raise ProviderError(f"the Postgres cluster {id} is gone: run `pulumi refresh` and read what it says")
        return _state(args, cluster)

    def remove(self, id: str, state: ManagedPostgresState) -> None:
        doing = f"delete the Postgres cluster {id}"
        # 404: it is gone. 410: it is being deleted, by an earlier call of ours whose answer was lost, say.
        self.fly.call("DELETE", f"/postgres/{id}", doing=doing, accept=(404, 410), safe=True)
        waiting.poll(
            lambda: (postgres.look_up(self.fly, id) or {"status": "deleted"})["status"] == "deleted" or None,
            seconds=GONE_SECONDS,
            waiting_for=f"{doing}: Fly still has it; run destroy again",
        )

    def _find_own(self, args: ManagedPostgresArgs) -> dict[str, Any] | None:
        """The one cluster of that name; several are refused, never guessed at."""
        found = postgres.living(self.fly, args.org, args.name)
        if len(found) > 1:
            raise ProviderError(
                f"the organisation {args.org!r} has {len(found)} Postgres clusters {args.name!r}: "
                f"{', '.join(cluster['id'] for cluster in found)}; delete all but the one with the data "
                "(`fly mpg list`, `fly mpg destroy`)"
            )
        return found[0] if found else None

    def _make(self, args: ManagedPostgresArgs) -> dict[str, Any]:
        cluster: dict[str, Any] = self.fly.call(
            "POST",
            "/postgres",
            doing=f"create the Postgres cluster {args.name!r} in the organisation {args.org!r}",
            body={
                "org_slug": args.org,
                "name": args.name,
                "region": args.region,
                "plan": args.plan,
                "disk_size_gb": args.disk_size_gb,
                "pg_major_version": args.pg_major_version,
            },
        )["data"]
        return cluster


def problems(plan: str, disk_size_gb: int) -> Iterable[str]:
    """What is wrong with a plan and a size."""
    if plan not in PLANS:
        yield f"plan must be one of {', '.join(PLANS)}, not {plan!r}"
    if not 10 <= disk_size_gb <= 1000:
        yield f"disk_size_gb must be 10 to 1000, not {disk_size_gb}"


def _state(args: ManagedPostgresArgs, cluster: dict[str, Any]) -> ManagedPostgresState:
    """`disk_size_gb` is a lower bound, so a cluster that is larger shows as it was asked for."""
    size = int(cluster.get("disk_size_gb") or args.disk_size_gb)
    return ManagedPostgresState(
        org=args.org,
        name=cluster["name"],
        region=cluster["region"],
        plan=str(cluster["plan"]).lower(),
        disk_size_gb=min(args.disk_size_gb or size, size),
        pg_major_version=cluster.get("pg_major_version") or args.pg_major_version,
        status=str(cluster.get("status") or ""),
    )


class ManagedPostgres(Resource[ManagedPostgresArgs], module="fly", name="ManagedPostgres"):
    """A Managed Postgres cluster; its id is Fly's. org: changing it replaces. Everything else is refused with the way to do it."""

    provider = ManagedPostgresProvider

    name: Output[str]
    region: Output[str]
    plan: Output[str]
    status: Output[str]
