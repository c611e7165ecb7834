"""A Fly app: the name under which all other objects live.

App names are unique across Fly, and an app cannot be changed. Deleting an app deletes its machines, volumes and snapshots, so
`remove` refuses while the app has any that this stack did not delete itself.
"""

import contextlib
import re
import uuid
from collections.abc import Iterable
from typing import Annotated

from pulumi import Output

from providers import engine, waiting
from providers.adoption import Adoptable
from providers.errors import ErrorText, Problem, ProblemText, Uncertain
from providers.fly.api import apps, client, machines, volumes
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field
from providers.resource import Resource

NAME = r"[a-z][a-z0-9-]{0,61}[a-z0-9]"
SLUG = r"[a-z0-9][a-z0-9-]*"
GONE_SECONDS = 120.0

BAD_NAME = ProblemText(
    "name", "'{name}' is not a valid Fly app name", remedy="use 2 to 63 lower-case letters, digits and dashes"
)
BAD_ORG = ProblemText(
    "org",
    "'{org}' is not the slug of a Fly organisation, but looks like its display name",
    remedy="use {slug}, if `fly orgs list` shows it",
)
OTHER_ORGANISATION = ErrorText(
    "app {name} exists in organisation {owner}, not in {org}",
    remedy="choose another name, or set the organisation to {owner}",
)
OTHER_NETWORK = ErrorText(
    "app {name} is in network {found}, not in {network}, and an app cannot move",
    remedy="choose another name, or set the network to {found}",
)
GONE = ErrorText("app {name} does not exist", remedy="run `pulumi refresh`, then `pulumi up` creates it again")
ANOTHER_APP = ErrorText(
    "app {name} is not the one that this stack created (its id is {found}, not {id}): it was not deleted",
    remedy="run `pulumi refresh` to drop it from the state",
)
NOT_EMPTY = ErrorText(
    "app {name} still has {left}, which would be deleted with it",
    remedy="delete or move them first, or delete everything with `fly apps destroy {name}`",
)
NO_ACCESS = ErrorText(
    "app name {name} is taken by another organisation, or the token may not read the app (fly-request-id {request_id})",
    remedy="choose another name, or use a token of the right organisation",
)


class AppArgs(Adoptable):
    name: Annotated[Input[str], REPLACES]
    """Lower-case letters, digits and dashes. Changing it replaces the app and everything in it."""
    org: Annotated[Input[str], REPLACES]
    """Slug of the organisation. Changing it replaces the app and everything in it."""
    network: Annotated[Input[str | None], REPLACES] = field(default=None)
    """Private network. When absent, a new app gets Fly's default, and an adopted app keeps its own. Changing it replaces the app."""
    keep_snapshots: Input[bool] = field(default=False)
    """Whether `pulumi destroy` leaves the empty app while its former volumes have snapshots. Changed in place."""


class AppState(AppArgs):
    hostname: str = ""
    status: str = ""
    app_id: str = ""
    """Fly's own id: it tells this app from a later one with the same name."""


class AppProvider(FlyProvider[AppArgs, AppState]):
    Args = AppArgs
    State = AppState

    def validate(self, args: AppArgs, old: AppArgs | None) -> Iterable[Problem]:
        yield from name_problems(args.name)
        yield from org_problems(args.org)

    def ensure(self, args: AppArgs) -> tuple[str, AppState]:
        app = self._find(args.name) or self._create(args)
        owner = app.organization.slug
        if args.org not in (owner, "personal"):
            raise OTHER_ORGANISATION(name=args.name, owner=owner, org=args.org)
        if args.network not in (None, app.network):
            raise OTHER_NETWORK(name=args.name, found=app.network, network=args.network)
        client.retry_until_visible(lambda: machines.list_all(self.fly, args.name))
        return args.name, _state(args, app)

    def observe(self, id: str, state: AppState) -> AppState | None:
        app = self._find(id)
        return _state(state, app) if app else None

    def sync(self, id: str, state: AppState, args: AppArgs) -> AppState:
        app = self._find(id)
        if app is None:
            raise GONE(name=id)
        return _state(args, app)

    def remove(self, id: str, state: AppState) -> None:
        app = self._find(id)
        if app is None:
            return
        if state.app_id and str(app.id) != state.app_id:
            raise ANOTHER_APP(name=id, found=app.id, id=state.app_id)
        snapshots = self._refuse_to_lose_data(id)
        if state.keep_snapshots and snapshots:
            engine.note(
                f"app {id} is not deleted: its snapshots {', '.join(snapshots)} would be deleted with it. "
                f"When nobody needs them any more: `fly apps destroy {id}`"
            )
            return
        doing = f"delete app {id}"
        # Not repeated after a lost response, because the name may then be somebody else's. Whether it is gone is checked below.
        with contextlib.suppress(Uncertain):
            self.fly.call(
                "DELETE",
                f"/apps/{id}",
                doing=doing,
                params={"force": "true"},
                accept=(404,),
                limit=client.APP_DELETE_LIMIT,
            )
        waiting.poll(
            lambda: None if self._find(id) else True,
            seconds=GONE_SECONDS,
            waiting_for=f"app {id} to be deleted",
            action="deleting app",
            remedy="run `pulumi destroy` again",
        )

    def _find(self, name: str) -> "apps.App | None":
        try:
            return apps.look_up(self.fly, name)
        except client.NotFound:
            return None
        except client.Forbidden as forbidden:
            message, remedy = NO_ACCESS.fill(name=name, request_id=forbidden.request_id)
            raise client.Forbidden(message, remedy=remedy, status=403, request_id=forbidden.request_id) from None

    def _create(self, args: AppArgs) -> "apps.App":
        body = {"name": args.name, "org_slug": args.org, "network": args.network, "idempotency_key": str(uuid.uuid4())}
        self.fly.call(
            "POST",
            "/apps",
            doing=f"create app {args.name} in organisation {args.org}",
            body={key: value for key, value in body.items() if value is not None},
            safe=True,  # With the same idempotency key, a second request returns the app of the first.
        )
        return client.retry_until_visible(lambda: apps.look_up(self.fly, args.name))

    def _refuse_to_lose_data(self, name: str) -> list[str]:
        """Raise while machines or volumes are left; the snapshots of the app's former volumes."""
        try:
            found = machines.list_all(self.fly, name)
            disks = volumes.list_all(self.fly, name)
        except client.NotFound:
            return []  # It is being deleted already.
        # Read by their ids: a list can still show what was just deleted.
        left = [f"machine {machine.id}" for machine in found if machines.find(self.fly, name, machine.id)]
        left += [
            f"volume {volume.id}" for volume in disks if not volume.is_gone and volumes.find(self.fly, name, volume.id)
        ]
        if left:
            raise NOT_EMPTY(name=name, left=", ".join(left))
        return [snapshot.id for volume in disks for snapshot in volumes.snapshots_of(self.fly, name, volume.id)]


def name_problems(name: str) -> Iterable[Problem]:
    """What is wrong with the name of an app."""
    if not re.fullmatch(NAME, name):
        yield BAD_NAME(name=name)


def org_problems(org: str) -> Iterable[Problem]:
    """What is wrong with the slug of an organisation."""
    if not re.fullmatch(SLUG, org):
        yield BAD_ORG(org=org, slug=re.sub(r"[^a-z0-9]+", "-", org.lower()).strip("-") or "its slug")


def _state(args: AppArgs, app: "apps.App") -> AppState:
    return AppState(
        name=args.name,
        org=args.org,
        network=args.network,
        keep_snapshots=args.keep_snapshots,
        hostname=f"{args.name}.fly.dev",
        status=app.status,
        app_id=str(app.id),
    )


class App(Resource[AppArgs], module="fly", name="App"):
    """A Fly app. Its id is its name.

    name, org, network: changing them replaces the app. keep_snapshots: changed in place.
    """

    provider = AppProvider

    name: Output[str]
    hostname: Output[str]
    status: Output[str]
