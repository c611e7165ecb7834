"""Managed Postgres as Fly answers it: which clusters are still there, and waiting until one can be used.

Successful answers are wrapped in `data`; making and deleting a cluster go on after the answer (fly.md, section 11).
"""

from collections.abc import Callable
from typing import Any

from providers import waiting
from providers.errors import ProviderError
from providers.fly.api.client import Fly, NotFound

GONE = frozenset({"deleting", "deleted"})
READY_SECONDS = 900.0


class Unusable(ProviderError):
    """The cluster is there but failed, or is gone; the text says what to do."""

    __module__ = "builtins"


def look_up(fly: Fly, id: str) -> dict[str, Any] | None:
    """The cluster in whatever status; None when Fly knows it no more."""
    try:
        cluster: dict[str, Any] = fly.call("GET", f"/postgres/{id}", doing=f"look up the Postgres cluster {id}")["data"]
    except NotFound:
        return None
    return cluster


def find(fly: Fly, id: str) -> dict[str, Any] | None:
    """The cluster, or None when it is deleted or about to be."""
    cluster = look_up(fly, id)
    return None if cluster is None or cluster.get("status") in GONE else cluster


def living(fly: Fly, org: str, name: str) -> list[dict[str, Any]]:
    """The clusters of that name in the organisation; names are not unique."""
    answer = fly.call(
        "GET",
        "/postgres",
        doing=f"list the Postgres clusters of the organisation {org!r}",
        params={"org_slug": org},
    )
    return [one for one in answer.get("data") or () if one.get("name") == name and one.get("status") not in GONE]


def wait_until_ready(fly: Fly, id: str, *, progress: Callable[[str], None]) -> dict[str, Any]:
    """The cluster, once databases and users can be made in it. Raises Unusable or TimedOut."""
    seen = ""

    def ready() -> dict[str, Any] | None:
        nonlocal seen
        cluster = find(fly, id)
        if cluster is None:
            raise Unusable(f"the Postgres cluster {id} is gone: run `pulumi refresh` and read what it says")
        seen = str(cluster.get("status"))
        if seen == "failed":
            raise Unusable(
                f"the Postgres cluster {id} could not be made, Fly says: look at it in the dashboard; "
                f"`fly mpg destroy {id}`, then `pulumi refresh` and up make it anew"
            )
        progress(f"Postgres cluster {id}: {seen}")
        return cluster if seen == "ready" and cluster.get("endpoints") else None

    return waiting.poll(
        ready,
        seconds=READY_SECONDS,
        waiting_for=f"the Postgres cluster {id} to be ready",
        last_seen=lambda: seen,
        first_pause=0.5,
        max_pause=10.0,
    )
