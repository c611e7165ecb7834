"""Expires the builds that the current one replaces: testers cannot start them any more. This cannot be undone.

Only builds that were uploaded before the current one, and that no other tester group has. Apple expires every build after 90 days.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import asdict
from pulumi import Output

from providers import engine
from providers.appstore.api import client, objects
from providers.appstore.ipa import versions
from providers.properties import REPLACES
from providers.record import Input, Record
from providers.resource import Gate, Resource


class ExpiredBuildsArgs(Record):
    app_id: Annotated[Input[str], REPLACES]
    group_id: Annotated[Input[str], REPLACES]
    """The group that has the current build. Builds that another group has are not expired."""
    build_id: Input[str]
    """The current build."""


class ExpiredBuildsState(ExpiredBuildsArgs):
    expired: list[str]
    """Build numbers of those that were expired for the current build."""


class ExpiredBuildsProvider(Gate[ExpiredBuildsArgs, ExpiredBuildsState]):
    Args = ExpiredBuildsArgs
    State = ExpiredBuildsState

    def ensure(self, args: ExpiredBuildsArgs) -> tuple[str, ExpiredBuildsState]:
        return args.app_id, self._expire(args)

    def sync(self, id: str, state: ExpiredBuildsState, args: ExpiredBuildsArgs) -> ExpiredBuildsState:
        return self._expire(args)

    def _expire(self, args: ExpiredBuildsArgs) -> ExpiredBuildsState:
        store = client.AppStore(self.config)
        builds = store.list_all(
            objects.Build,
            doing="look for builds that can be expired",
            query={"filter[app]": args.app_id, "filter[expired]": "false", "include": "betaGroups"},
        )
        replaced = list(_replaced(builds, args))
        for build in replaced:
            store.update(objects.Build, build.id, {"expired": True}, doing=f"expire build {build.version}")
        if replaced:
            engine.note(f"expired {', '.join(build.version for build in replaced)}: testers use the current build")
        return ExpiredBuildsState(**asdict(args), expired=[build.version for build in replaced])


def _replaced(builds: "Iterable[objects.Build]", args: ExpiredBuildsArgs) -> "Iterable[objects.Build]":
    known = {build.id: build for build in builds}
    current = known.get(args.build_id)
    for build in known.values():
        others = [group for group in build.beta_groups if group.id != args.group_id]
        if current and _age(build) < _age(current) and not others:
            yield build


def _age(build: "objects.Build") -> tuple[float, tuple[int, ...]]:
    """A key by which an earlier build is lower. Apple's times have whole seconds, so the number decides within one."""
    uploaded = build.uploaded_date.moment.timestamp() if build.uploaded_date else float("inf")
    return uploaded, versions.ordering(build.version) if versions.is_build(build.version) else ()


class ExpiredBuilds(Resource[ExpiredBuildsArgs], module="appstore", name="ExpiredBuilds"):
    """The builds that were expired for the current one. `id` is the app's."""

    provider = ExpiredBuildsProvider
    expired: Output[list[str]]
