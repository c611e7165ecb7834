"""App records: adopted by exact bundle ID, because Apple's API can neither create nor delete one
(https://developer.apple.com/documentation/appstoreconnectapi/apps)."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec.structs import replace
from pulumi import Output

from providers import engine
from providers.appstore.api import client, objects
from providers.errors import ErrorText, Problem, ProblemText, TimedOut
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

CHANGEABLE = (
    "primary_locale",
    "content_rights_declaration",
    "accessibility_url",
    "streamlined_purchasing_enabled",
    "subscription_status_url",
    "subscription_status_url_version",
    "subscription_status_url_for_sandbox",
    "subscription_status_url_version_for_sandbox",
)
"""What the API can change, except for the bundle ID. None leaves an attribute as it is."""
NAME_LENGTH = range(2, 31)

NAME_TOO_LONG = ProblemText("name", "the app name '{name}' has {length} characters; Apple allows 2 to 30")
FORM = ErrorText(
    "there is no app with bundle ID {bundle_id} in App Store Connect, and only a person can create one: "
    "at https://appstoreconnect.apple.com/apps choose + > New App and enter "
    "Platforms: iOS; Name: {name}; Primary Language: {primary_locale}; Bundle ID: {bundle_id}; SKU: {sku}; "
    "User Access: Full Access",
    remedy="then run `pulumi up` again",
)
NOT_CREATED_IN_TIME = ErrorText("{timeout}; {form}", remedy="then run `pulumi up` again", error=TimedOut)


class AppArgs(Record):
    bundle_id: Annotated[Input[str], REPLACES]
    """The identifier, com.example.app; changing it adopts another app."""
    name: Input[str]
    """Shown in the error as a value for Apple's form. An existing record keeps its name, which can only be changed on the website."""
    sku: Input[str]
    """Like `name`; it cannot be changed at all."""
    primary_locale: Input[str | None] = field(default=None)
    """A language as Apple writes it: en-US. With None an existing record keeps its language, and the form names en-US."""
    content_rights_declaration: Input[
        Literal["DOES_NOT_USE_THIRD_PARTY_CONTENT", "USES_THIRD_PARTY_CONTENT"] | None
    ] = field(default=None)
    accessibility_url: Input[str | None] = field(default=None)
    streamlined_purchasing_enabled: Input[bool | None] = field(default=None)
    subscription_status_url: Input[str | None] = field(default=None)
    subscription_status_url_version: Input[Literal["V1", "V2"] | None] = field(default=None)
    subscription_status_url_for_sandbox: Input[str | None] = field(default=None)
    subscription_status_url_version_for_sandbox: Input[Literal["V1", "V2"] | None] = field(default=None)
    wait_seconds: Input[int] = field(default=0)
    """How long `pulumi up` waits for somebody to fill in the form when the record does not exist. With 0 it fails at once."""


class AppState(AppArgs):
    """The record as Apple has it, `name`, `sku` and `primary_locale` included."""


class AppProvider(Provider[AppArgs, AppState]):
    Args = AppArgs
    State = AppState

    def validate(self, args: AppArgs, old: AppArgs | None) -> Iterable[Problem]:
        if len(args.name) not in NAME_LENGTH:
            yield NAME_TOO_LONG(name=args.name, length=len(args.name))

    def changed_fields(self, state: AppState, args: AppArgs) -> Iterable[str]:
        changed = [name for name in CHANGEABLE if getattr(args, name) not in (None, getattr(state, name))]
        return [*changed, *(("bundle_id",) if state.bundle_id != args.bundle_id else ())]

    def ensure(self, args: AppArgs) -> tuple[str, AppState]:
        store = client.AppStore(self.config)
        found = _find(store, args.bundle_id)
        if found is None and args.wait_seconds:
            engine.note(f"{form(args)}. This run waits {args.wait_seconds} s for it")
            found = _wait_for(store, args)
        if found is None:
            raise FORM(**_form_values(args))
        return found.id, self.sync(found.id, _state(found, args), args)

    def observe(self, id: str, state: AppState) -> AppState | None:
        found = client.AppStore(self.config).get(objects.App, id, doing=f"read the app record of {state.bundle_id}")
        return _state(found, state) if found else None

    def sync(self, id: str, state: AppState, args: AppArgs) -> AppState:
        changes = {name: getattr(args, name) for name in self.changed_fields(state, args)}
        if changes:
            doing = f"change {', '.join(changes)} of the app {args.bundle_id}"
            client.AppStore(self.config).update(objects.App, id, changes, doing=doing)
        return replace(state, **changes, wait_seconds=args.wait_seconds)

    def remove(self, id: str, state: AppState) -> None:
        """Leaves the record in App Store Connect: the API cannot delete it, and its bundle ID could not be used again."""
        engine.note(
            f"the app record of {state.bundle_id} (Apple ID {id}) stays in App Store Connect, whose API cannot delete it; the "
            "next `pulumi up` adopts it again"
        )


def form(args: AppArgs) -> str:
    """Why a person has to create the record, and what to enter in Apple's form."""
    return FORM.fill(**_form_values(args))[0]


def _form_values(args: AppArgs) -> dict[str, str]:
    return {
        "bundle_id": args.bundle_id,
        "name": args.name,
        "primary_locale": args.primary_locale or "en-US",
        "sku": args.sku,
    }


def _find(store: "client.AppStore", bundle_id: str) -> "objects.App | None":
    listed = store.list_all(
        objects.App, doing=f"look up the app record of {bundle_id}", query={"filter[bundleId]": bundle_id}
    )
    return next((app for app in listed if app.bundle_id == bundle_id), None)


def _wait_for(store: "client.AppStore", args: AppArgs) -> "objects.App":
    try:
        return store.poll(
            lambda: _find(store, args.bundle_id),
            seconds=args.wait_seconds,
            waiting_for="the app record to be created",
            action="waiting for a person",
        )
    except TimedOut as error:
        raise NOT_CREATED_IN_TIME(timeout=error, form=form(args)) from None


def _state(app: "objects.App", args: AppArgs) -> AppState:
    named = {"primary_locale", *(name for name in CHANGEABLE if getattr(args, name) is not None)}
    return AppState(
        bundle_id=app.bundle_id,
        name=app.name,
        sku=app.sku,
        wait_seconds=args.wait_seconds,
        **{name: getattr(app, name) for name in named},
    )


class App(Resource[AppArgs], module="appstore", name="App"):
    """The app record in App Store Connect. `id` is Apple's app ID, a decimal number."""

    provider = AppProvider
    bundle_id: Output[str]
    name: Output[str]
    sku: Output[str]
    primary_locale: Output[str | None]
