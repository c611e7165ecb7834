"""An app's test information in one language: what TestFlight tells testers about the app, and where their feedback goes.

Internal testing does without it (app-store-connect.md, section 17); with it, feedback has an address.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers.appstore.api.client import AppStore, Entity
from providers.properties import REPLACES
from providers.resource import Provider, Resource

LONGEST_DESCRIPTION = 4000


@dataclass(frozen=True, kw_only=True)
class BetaAppLocalizationArgs:
    app_id: Annotated[str, REPLACES]
    locale: Annotated[str, REPLACES]
    """A language as Apple spells it: en-US. An app has one text for each."""
    feedback_email: str | None = None
    """Where testers' feedback goes. None leaves what is there."""
    description: str | None = None
    """What the app is, for testers. None leaves what is there."""


@dataclass(frozen=True, kw_only=True)
class BetaAppLocalizationState(BetaAppLocalizationArgs):
    pass


class BetaAppLocalizationProvider(Provider[BetaAppLocalizationArgs, BetaAppLocalizationState]):
    Args = BetaAppLocalizationArgs
    State = BetaAppLocalizationState

    def validate(self, args: BetaAppLocalizationArgs, old: BetaAppLocalizationArgs | None) -> Iterable[str]:
        if args.feedback_email and "@" not in args.feedback_email:
            yield f"'{args.feedback_email}' is no e-mail address"
        if len(args.description or "") > LONGEST_DESCRIPTION:
            yield f"the description has {len(args.description or '')} characters, Apple takes {LONGEST_DESCRIPTION}"

    def changed_fields(self, state: BetaAppLocalizationState, args: BetaAppLocalizationArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if getattr(args, name) is not None]

    def ensure(self, args: BetaAppLocalizationArgs) -> tuple[str, BetaAppLocalizationState]:
        store = AppStore(self.config)
        found = _find(store, args) or store.create(
            "betaAppLocalizations",
            {"locale": args.locale, **_texts(args)},
            {"app": ("apps", args.app_id)},
            doing=f"write the test information in {args.locale}",
            find=lambda: _find(store, args),
        )
        return found.id, self.sync(found.id, _state(found, args), args)

    def observe(self, id: str, state: BetaAppLocalizationState) -> BetaAppLocalizationState | None:
        found = AppStore(self.config).get(
            f"/v1/betaAppLocalizations/{id}", doing=f"read the test information in {state.locale}"
        )
        return _state(found, state) if found else None

    def sync(self, id: str, state: BetaAppLocalizationState, args: BetaAppLocalizationArgs) -> BetaAppLocalizationState:
        if any(self.changed_fields(state, args)):
            AppStore(self.config).update(
                Entity("betaAppLocalizations", id), _texts(args), doing=f"write the test information in {args.locale}"
            )
        return BetaAppLocalizationState(**vars(args))

    def remove(self, id: str, state: BetaAppLocalizationState) -> None:
        AppStore(self.config).delete(
            f"/v1/betaAppLocalizations/{id}", doing=f"delete the test information in {state.locale}"
        )


def _find(store: AppStore, args: BetaAppLocalizationArgs) -> Entity | None:
    listed = store.list_all(
        "/v1/betaAppLocalizations",
        doing="look up the test information",
        **{"filter[app]": args.app_id, "filter[locale]": args.locale},
    )
    return next((each for each in listed if each["locale"] == args.locale), None)


def _texts(args: BetaAppLocalizationArgs) -> dict[str, str]:
    """The attributes that the stack says something about, as Apple names them."""
    texts = {"feedbackEmail": args.feedback_email, "description": args.description}
    return {name: text for name, text in texts.items() if text is not None}


def _state(entity: Entity, args: BetaAppLocalizationArgs) -> BetaAppLocalizationState:
    """What is there, of the texts that the stack says something about."""
    told = replace(
        args,
        feedback_email=entity["feedbackEmail"] if args.feedback_email is not None else None,
        description=entity["description"] if args.description is not None else None,
    )
    return BetaAppLocalizationState(**vars(told))


class BetaAppLocalization(Resource[Any], module="appstore", name="BetaAppLocalization"):
    """The test information of an app in one language. `id` is Apple's."""

    provider = BetaAppLocalizationProvider
    app_id: Output[str]
    locale: Output[str]
    feedback_email: Output[str | None]
    description: Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        app_id: Input[str],
        locale: Input[str],
        feedback_email: Input[str] | None = None,
        description: Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "app_id": app_id,
            "locale": locale,
            "feedback_email": feedback_email,
            "description": description,
        }
        super().__init__(resource_name, arguments, opts)
