"""A Fly app: the name under which everything else lives.

App names are one global namespace, an app cannot be changed, and deleting one takes its machines, volumes and their
snapshots along, which is why `remove` refuses while it holds what this stack did not delete itself (fly.md, section 5).
"""

import contextlib
import re
import uuid
from collections.abc import Iterable
from typing import Annotated, Any

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError, Uncertain
from providers.fly.api.client import APP_DELETE_LIMIT, Forbidden, NotFound, just_made
from providers.fly.api.machines import is_gone as machine_is_gone
from providers.fly.api.volumes import is_gone as volume_is_gone
from providers.fly.api.volumes import snapshots_of
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

NAME = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")
GONE_SECONDS = 120.0


@record
class AppArgs:
    name: Annotated[Input[str], REPLACES]
    """Lower-case letters, digits and dashes. Changing it replaces the app and all in it."""
    org: Annotated[Input[str], REPLACES]
    """Slug of the organisation. Changing it replaces the app and all in it."""
    network: Annotated[Input[str | None], REPLACES] = field(default=None)
    """Private network; when absent, Fly's default for a new app, and any for one that is there. Changing it replaces the app."""
    keep_snapshots: Input[bool] = field(default=False)
    """Whether `destroy` leaves the app, empty, as long as volumes that it had have snapshots. Changed in place."""


@record
class AppState(AppArgs):
    hostname: str = ""
    status: str = ""
    app_id: str = ""
    """Fly's own id: tells this app from a later one of the same name."""


class AppProvider(FlyProvider[AppArgs, AppState]):
    Args = AppArgs
    State = AppState

    def validate(self, args: AppArgs, old: AppArgs | None) -> Iterable[str]:
        if not NAME.fullmatch(args.name):
            yield f"name {args.name!r} is no Fly app name: use 2 to 63 lower-case letters, digits and dashes"

    def ensure(self, args: AppArgs) -> tuple[str, AppState]:
        app = self._find(args.name) or self._make(args)
        owner = (app.get("organization") or {}).get("slug", "")
        if args.org not in (owner, "personal"):
            raise ProviderError(
                f"the app {args.name!r} exists in the organisation {owner!r}, not in {args.org!r}: choose another name, or set the organisation to {owner!r}"
            )
        if args.network not in (None, app.get("network")):
            raise ProviderError(
                f"the app {args.name!r} is in the network {app.get('network')!r}, not in {args.network!r}, and an app cannot "
                "move: choose another name, or set the network to what it is"
            )
        just_made(
            lambda: self.fly.call(
                "GET", f"/apps/{args.name}/machines", doing=f"list the machines of the app {args.name!r}"
            )
        )
        return args.name, _state(args, app)

    def observe(self, id: str, state: AppState) -> AppState | None:
        app = self._find(id)
        return _state(state, app) if app else None

    def sync(self, id: str, state: AppState, args: AppArgs) -> AppState:
        app = self._find(id)
        if app is None:
            raise ProviderError(f"the app {id!r} is gone: run `pulumi refresh`, then up again to make it anew")
        return _state(args, app)

    def remove(self, id: str, state: AppState) -> None:
        app = self._find(id)
        if app is None:
            return
        if state.app_id and str(app["id"]) != state.app_id:
            raise ProviderError(
                f"the app {id!r} is another one than this stack made (id {app['id']}, not {state.app_id}): "
                f"it was not deleted; run `pulumi refresh` to forget the old one"
            )
        snapshots = self._refuse_to_lose_data(id)
        if state.keep_snapshots and snapshots:
            engine.note(
                f"the app {id!r} was left, empty: its snapshots {', '.join(snapshots)} would go with it. "
                f"When nobody needs them any more: `fly apps destroy {id}`"
            )
            return
        doing = f"delete the app {id!r}"
        # Never repeated after a lost answer: the name may be somebody else's by then. Whether it is gone is looked at below.
        with contextlib.suppress(Uncertain):
            self.fly.call(
                "DELETE", f"/apps/{id}", doing=doing, params={"force": "true"}, accept=(404,), limit=APP_DELETE_LIMIT
            )
        waiting.poll(
            lambda: None if self._find(id) else True,
            seconds=GONE_SECONDS,
            waiting_for=f"{doing}: Fly still has it; run destroy again",
        )

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            app: dict[str, Any] = self.fly.call("GET", f"/apps/{name}", doing=f"look up the app {name!r}")
        except NotFound:
            return None
        except Forbidden as forbidden:
            raise Forbidden(
                f"the app name {name!r} is taken by another organisation, or the token may not read it "
                f"(fly-request-id {forbidden.request_id}): choose another name, or use a token of the right organisation",
                status=403,
                request_id=forbidden.request_id,
            ) from None
        return app

    def _make(self, args: AppArgs) -> dict[str, Any]:
        body = {"name": args.name, "org_slug": args.org, "network": args.network, "idempotency_key": str(uuid.uuid4())}
        self.fly.call(
            "POST",
            "/apps",
            doing=f"create the app {args.name!r} in the organisation {args.org!r}",
            body={key: value for key, value in body.items() if value is not None},
            safe=True,  # The idempotency key gives the app of the first request back.
        )
        app: dict[str, Any] = just_made(
            lambda: self.fly.call("GET", f"/apps/{args.name}", doing=f"look up the app {args.name!r}")
        )
        return app

    def _refuse_to_lose_data(self, name: str) -> list[str]:
        """Raise while machines or volumes are left; the snapshots of the volumes that the app had."""
        try:
            machines = self.fly.call("GET", f"/apps/{name}/machines", doing=f"list the machines of the app {name!r}")
            volumes = self.fly.call("GET", f"/apps/{name}/volumes", doing=f"list the volumes of the app {name!r}")
        except NotFound:
            return []  # It is being deleted already.
        left = [f"machine {machine['id']}" for machine in machines or () if not machine_is_gone(machine)]
        left += [f"volume {volume['id']}" for volume in volumes or () if not volume_is_gone(volume)]
        if left:
            raise ProviderError(
                f"the app {name!r} still has {', '.join(left)}, which would be deleted with it: delete or move "
                f"them first, or delete everything on purpose with `fly apps destroy {name}`"
            )
        return [one["id"] for volume in volumes or () for one in snapshots_of(self.fly, name, volume["id"])]


def _state(args: AppArgs, app: dict[str, Any]) -> AppState:
    return AppState(
        name=args.name,
        org=args.org,
        network=args.network,
        keep_snapshots=args.keep_snapshots,
        hostname=f"{args.name}.fly.dev",
        status=app.get("status", ""),
        app_id=str(app["id"]),
    )


class App(Resource[AppArgs], module="fly", name="App"):
    """A Fly app. Its id is its name.

    name: changing it replaces the app. org, network: likewise. keep_snapshots: changed in place.
    """

    provider = AppProvider

    name: Output[str]
    hostname: Output[str]
    status: Output[str]
