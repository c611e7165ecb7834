"""An app's test information in one language: what TestFlight shows testers about the app, and the feedback address.

Internal testing works without it
(https://developer.apple.com/documentation/appstoreconnectapi/beta-app-localizations).
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import asdict, replace
from pulumi import Output

from providers.adoption import Adoptable
from providers.appstore.api import client, objects
from providers.appstore.api.addresses import is_email
from providers.appstore.texts import MAX_LENGTH, locale_problems
from providers.errors import Problem, ProblemText
from providers.properties import REPLACES
from providers.record import Input, field
from providers.resource import Provider, Resource

NOT_AN_ADDRESS = ProblemText("feedback_email", "'{email}' is not a valid e-mail address")
DESCRIPTION_TOO_LONG = ProblemText("description", "the description has {length} characters; Apple allows {limit}")


class BetaAppLocalizationArgs(Adoptable):
    app_id: Annotated[Input[str], REPLACES]
    locale: Annotated[Input[str], REPLACES]
    """A language as Apple writes it: en-US. An app has one text for each."""
    feedback_email: Input[str | None] = field(default=None)
    """The address that gets testers' feedback. None leaves it unchanged."""
    description: Input[str | None] = field(default=None)
    """A description of the app for testers. None leaves it unchanged."""


class BetaAppLocalizationState(BetaAppLocalizationArgs):
    """The texts as Apple has them, for the arguments that are set."""


class BetaAppLocalizationProvider(Provider[BetaAppLocalizationArgs, BetaAppLocalizationState]):
    Args = BetaAppLocalizationArgs
    State = BetaAppLocalizationState

    def validate(self, args: BetaAppLocalizationArgs, old: BetaAppLocalizationArgs | None) -> Iterable[Problem]:
        if args.feedback_email and not is_email(args.feedback_email):
            yield NOT_AN_ADDRESS(email=args.feedback_email)
        yield from locale_problems(args.locale)
        if len(args.description or "") > MAX_LENGTH:
            yield DESCRIPTION_TOO_LONG(length=len(args.description or ""), limit=MAX_LENGTH)

    def changed_fields(self, state: BetaAppLocalizationState, args: BetaAppLocalizationArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if getattr(args, name) is not None]

    def ensure(self, args: BetaAppLocalizationArgs) -> tuple[str, BetaAppLocalizationState]:
        store = client.AppStore(self.config)
        found = _find(store, args) or store.create(
            objects.BetaAppLocalization,
            {"locale": args.locale, **_texts(args), "app": objects.App.ref(args.app_id)},
            doing=f"write the test information in {args.locale}",
            find=lambda: _find(store, args),
        )
        return found.id, self.sync(found.id, _state(found, args), args)

    def observe(self, id: str, state: BetaAppLocalizationState) -> BetaAppLocalizationState | None:
        doing = f"read the test information in {state.locale}"
        found = client.AppStore(self.config).get(objects.BetaAppLocalization, id, doing=doing)
        return _state(found, state) if found else None

    def sync(self, id: str, state: BetaAppLocalizationState, args: BetaAppLocalizationArgs) -> BetaAppLocalizationState:
        if any(self.changed_fields(state, args)):
            doing = f"write the test information in {args.locale}"
            client.AppStore(self.config).update(objects.BetaAppLocalization, id, _texts(args), doing=doing)
        return BetaAppLocalizationState(**asdict(args))

    def remove(self, id: str, state: BetaAppLocalizationState) -> None:
        doing = f"delete the test information in {state.locale}"
        client.AppStore(self.config).delete(objects.BetaAppLocalization.ref(id), doing=doing)


def _find(store: "client.AppStore", args: BetaAppLocalizationArgs) -> "objects.BetaAppLocalization | None":
    listed = store.list_all(
        objects.BetaAppLocalization,
        doing="look up the test information",
        query={"filter[app]": args.app_id, "filter[locale]": args.locale},
    )
    return next((localization for localization in listed if localization.locale == args.locale), None)


def _texts(args: BetaAppLocalizationArgs) -> dict[str, str]:
    """The texts that the arguments set."""
    texts = {"feedback_email": args.feedback_email, "description": args.description}
    return {name: text for name, text in texts.items() if text is not None}


def _state(found: "objects.BetaAppLocalization", args: BetaAppLocalizationArgs) -> BetaAppLocalizationState:
    existing = replace(args, **{name: getattr(found, name) for name in _texts(args)})
    return BetaAppLocalizationState(**asdict(existing))


class BetaAppLocalization(Resource[BetaAppLocalizationArgs], module="appstore", name="BetaAppLocalization"):
    """The test information of an app in one language. `id` is Apple's."""

    provider = BetaAppLocalizationProvider
    app_id: Output[str]
    locale: Output[str]
    feedback_email: Output[str | None]
    description: Output[str | None]
