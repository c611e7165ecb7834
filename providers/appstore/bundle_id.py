"""Bundle IDs: adopted by exact identifier, registered where there is none, never taken from an app that uses one."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Literal, cast

from msgspec.structs import replace
from pulumi import Output

from providers import engine
from providers.adoption import Adoptable
from providers.appstore.api import client, errors, objects
from providers.errors import ErrorText, Problem, ProblemText
from providers.properties import REPLACES
from providers.record import Input, field
from providers.resource import Provider, Resource

Platform = Literal["IOS", "MAC_OS", "UNIVERSAL"]

NOT_VALID = ProblemText(
    "identifier",
    "'{identifier}' is not a valid bundle ID",
    remedy="use letters, digits and hyphens, in parts joined by dots",
)
NAME_REFUSED = ProblemText(
    "name", "'{name}' is not a valid name of a bundle ID", remedy="use ASCII letters, digits and spaces only"
)
USED_BY_APP = ErrorText(
    "bundle ID {identifier} is used by app {app_id}, and Apple binds an app to its bundle ID permanently",
    remedy="keep {identifier}, or launch {wanted} in a stack of its own",
)
MAY_BE_USED = ErrorText(
    "bundle ID {identifier} may be used by an app, and Apple binds an app to its bundle ID permanently",
    remedy="keep {identifier}, or launch {wanted} in a stack of its own; if no app uses it, run `pulumi refresh`, then "
    "`pulumi up` can replace it",
)
OTHER_PLATFORM = ErrorText(
    "bundle ID {identifier} is registered for {registered}, not for {wanted}, and Apple does not change the platform of a bundle ID",
    remedy="choose another bundle ID, or delete this one on the developer website if nothing uses it",
)
TAKEN = ErrorText(
    "cannot {doing}: another team has registered it, and bundle IDs are unique across all teams",
    remedy="choose another bundle ID",
)


class BundleIdArgs(Adoptable):
    identifier: Annotated[Input[str], REPLACES]
    """Reverse domain name, unique across all teams: com.example.app. It cannot change while an app uses it, or may use it."""
    name: Input[str]
    """For its registration. An existing bundle ID keeps its name, which only the developer website shows."""
    platform: Annotated[Input[Platform], REPLACES] = field(default="IOS")


class BundleIdState(BundleIdArgs):
    app_id: str | None = None
    """Apple's id of the app that uses it, as of the last refresh or adoption; empty if none does. None: unknown, because the bundle ID
    was just created, before its app record."""


class BundleIdProvider(Provider[BundleIdArgs, BundleIdState]):
    Args = BundleIdArgs
    State = BundleIdState

    def validate(self, args: BundleIdArgs, old: BundleIdArgs | None) -> Iterable[Problem]:
        if not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", args.identifier):
            yield NOT_VALID(identifier=args.identifier)
        if not re.fullmatch(r"[A-Za-z0-9 ]+", args.name):
            yield NAME_REFUSED(name=args.name)

    def changed_fields(self, state: BundleIdState, args: BundleIdArgs) -> Iterable[str]:
        changed = set(super().changed_fields(state, args)) - {"name"}
        if changed and state.app_id != "":
            refusal = USED_BY_APP if state.app_id else MAY_BE_USED
            raise refusal(identifier=state.identifier, app_id=state.app_id, wanted=args.identifier)
        return changed

    def ensure(self, args: BundleIdArgs) -> tuple[str, BundleIdState]:
        store = client.AppStore(self.config)
        found = _find(store, args.identifier) or _register(store, args)
        state = _state(found, args.platform)
        if state.platform != args.platform:
            raise OTHER_PLATFORM(identifier=args.identifier, registered=state.platform, wanted=args.platform)
        return found.id, replace(state, app_id=state.app_id or None)

    def observe(self, id: str, state: BundleIdState) -> BundleIdState | None:
        doing = f"read bundle ID {state.identifier}"
        found = client.AppStore(self.config).get(objects.BundleId, id, doing=doing, query={"include": "app"})
        return _state(found, state.platform) if found else None

    def sync(self, id: str, state: BundleIdState, args: BundleIdArgs) -> BundleIdState:
        return state

    def remove(self, id: str, state: BundleIdState) -> None:
        """Deletes it, unless an app uses it: Apple refuses that, and the API cannot delete the app."""
        try:
            client.AppStore(self.config).delete(objects.BundleId.ref(id), doing=f"delete bundle ID {state.identifier}")
        except errors.AppStoreError as error:
            if error.status != 409 or not error.says("cannot be deleted"):
                raise
            engine.note(f"bundle ID {state.identifier} is not deleted, because an app uses it")


def name_for(title: str, identifier: str) -> str:
    """A name that Apple accepts for a bundle ID, close to `title`: ASCII letters, digits and single spaces. From `identifier`
    where nothing of the title remains."""
    marks = unicodedata.normalize("NFKD", title)
    plain = "".join(character for character in marks if not unicodedata.combining(character))
    return " ".join(re.findall(r"[A-Za-z0-9]+", plain) or re.findall(r"[A-Za-z0-9]+", identifier))


def _register(store: "client.AppStore", args: BundleIdArgs) -> "objects.BundleId":
    doing = f"register bundle ID {args.identifier}"
    try:
        return store.create(
            objects.BundleId,
            {"identifier": args.identifier, "name": args.name, "platform": args.platform},
            doing=doing,
            find=lambda: _find(store, args.identifier),
        )
    except errors.AppStoreError as error:
        if not error.says("is not available"):
            raise
        # The refusal is the same whether our team or another one has registered it. Ours is listed shortly after its creation.
        found = client.retry_until_visible(lambda: _find(store, args.identifier))
        if found is None:
            raise TAKEN(doing=doing) from None
        return found


def _find(store: "client.AppStore", identifier: str) -> "objects.BundleId | None":
    listed = store.list_all(
        objects.BundleId,
        doing=f"look up bundle ID {identifier}",
        query={"include": "app", "filter[identifier]": identifier},
    )
    return next((bundle_id for bundle_id in listed if bundle_id.identifier == identifier), None)


def _state(found: "objects.BundleId", wanted: Platform) -> BundleIdState:
    """Apple reports UNIVERSAL for a bundle ID that was created as IOS, so UNIVERSAL matches every platform
    (https://github.com/codemagic-ci-cd/cli-tools/pull/45)."""
    return BundleIdState(
        identifier=found.identifier,
        name=found.name,
        platform=wanted if found.platform == "UNIVERSAL" else cast(Platform, found.platform),
        app_id=found.app.id if found.app else "",
    )


class BundleId(Resource[BundleIdArgs], module="appstore", name="BundleId"):
    """A bundle ID of the team. `id` is Apple's id of it, which profiles and capabilities refer to."""

    provider = BundleIdProvider
    identifier: Output[str]
    name: Output[str]
    platform: Output[str]
    app_id: Output[str | None]
