"""What the team has of the app before the stack creates anything: what will be adopted, and so is not deleted with the stack.

A survey is taken once, when its stack is new or its state is lost (see providers/adoption.py). Everything else that the stack has at
Apple comes after it, so it refuses another app before anything is changed.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec.structs import asdict, replace
from pulumi import Output

from providers import engine
from providers.appstore.api import client, objects
from providers.errors import Problem, ProblemText
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource
from providers.survey import SurveyGate

MOVES = ProblemText(
    "bundle_id",
    "the bundle ID of this stack cannot change from {before} to {after}: Apple binds an app to its bundle ID permanently, so that would "
    "be another app, and its testers would be lost",
    remedy="set the config key bundleId to {before} again; for another app, use a stack of its own; to give this one up on purpose, "
    "first turn the protection off (config key protect)",
)


class SurveyArgs(Record):
    bundle_id: Annotated[Input[str], REPLACES]
    """The identifier. What follows is what the stack is going to have."""
    group: Input[str]
    """Name of the tester group."""
    informs: Input[bool] = field(default=False)
    """Whether the stack has test information."""
    signs: Input[bool] = field(default=False)
    """Whether the stack has a certificate and a profile."""
    extensions: Input[list[str]] = field(default_factory=list)
    """Identifiers of the extensions of which the stack has bundle IDs and profiles."""
    protected: Input[bool] = field(default=False)
    """Whether another bundle ID is refused."""


class SurveyState(SurveyArgs):
    """Apple's ids of what existed, by kind; of testers, the addresses."""

    found_bundle_ids: list[str] = field(default_factory=list)
    found_apps: list[str] = field(default_factory=list)
    found_groups: list[str] = field(default_factory=list)
    found_testers: list[str] = field(default_factory=list)
    """In the group."""
    found_distributions: list[str] = field(default_factory=list)
    """Builds that the group had, each `<build>/<group>`."""
    found_localizations: list[str] = field(default_factory=list)
    found_certificates: list[str] = field(default_factory=list)
    found_profiles: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    """A phrase for each object that the stack adopts."""


class SurveyProvider(SurveyGate[SurveyArgs, SurveyState]):
    Args = SurveyArgs
    State = SurveyState

    def look(self, args: SurveyArgs) -> SurveyState:
        return look(client.AppStore(self.config), args)

    def validate(self, args: SurveyArgs, old: SurveyArgs | None) -> Iterable[Problem]:
        if old and args.protected and old.bundle_id != args.bundle_id:
            yield MOVES(before=old.bundle_id, after=args.bundle_id)

    def changed_fields(self, state: SurveyState, args: SurveyArgs) -> Iterable[str]:
        """Another bundle ID, or an extension that is new in the stack."""
        return [
            *super().changed_fields(state, args),
            *(["extensions"] if {*args.extensions} - {*state.extensions} else []),
        ]

    def ensure(self, args: SurveyArgs) -> tuple[str, SurveyState]:
        id, state = super().ensure(args)
        if state.found_certificates and args.signs:
            engine.note(
                f"the team has {len(state.found_certificates)} distribution certificates already. Unless this stack has the key of "
                "one (signingSecrets), it creates another one and another profile"
            )
        return id, state

    def sync(self, id: str, state: SurveyState, args: SurveyArgs) -> SurveyState:
        """Look for the extensions that are new in the stack."""
        added = [identifier for identifier in args.extensions if identifier not in state.extensions]
        found = _bundle_ids(client.AppStore(self.config), added) if added else {}
        return replace(
            state,
            extensions=[*state.extensions, *added],
            found_bundle_ids=[*state.found_bundle_ids, *(bundle_id.id for bundle_id in found.values())],
        )


def look(store: "client.AppStore", args: SurveyArgs) -> SurveyState:
    """Look at what exists. Reads only."""
    certificates: Sequence[objects.Certificate] = []
    if args.signs:
        certificates = store.list_all(objects.Certificate, doing="look which certificates exist")
    found = _bundle_ids(store, [args.bundle_id, *args.extensions])
    bundle_id = found.get(args.bundle_id)
    state = SurveyState(
        **asdict(args),
        found_bundle_ids=[bundle_id.id for bundle_id in found.values()],
        found_certificates=[certificate.id for certificate in certificates],
        adopted=[f"bundle ID {identifier}" for identifier in found],
    )
    return _with_app(store, state, bundle_id.app.id) if bundle_id and bundle_id.app else state


def _bundle_ids(store: "client.AppStore", identifiers: Sequence[str]) -> "dict[str, objects.BundleId]":
    """Those that exist, by identifier."""
    listed = store.list_all(
        objects.BundleId,
        doing=f"look whether bundle ID {', '.join(identifiers)} exists",
        query={"include": "app", "filter[identifier]": identifiers},
    )
    return {found.identifier: found for found in listed if found.identifier in identifiers}


def _with_app(store: "client.AppStore", state: SurveyState, app: str) -> SurveyState:
    groups = store.list_all(objects.BetaGroup, doing="look which groups exist", query={"filter[app]": app})
    group = next((found for found in groups if found.name == state.group), None)
    texts: Sequence[objects.BetaAppLocalization] = []
    if state.informs:
        doing = "look which test information exists"
        texts = store.list_all(objects.BetaAppLocalization, doing=doing, query={"filter[app]": app})
    profiles: Sequence[objects.Profile] = []
    if state.signs:
        doing, query = "look which profiles exist", {"include": "bundleId"}
        profiles = store.list_all(objects.Profile, doing=doing, query=query)
    testers: Sequence[objects.BetaTester] = []
    builds: Sequence[objects.Build] = []
    if group:
        query = {"filter[betaGroups]": group.id}
        testers = store.list_all(objects.BetaTester, doing="look who is in the group", query=query)
        builds = store.list_all(objects.Build, doing="look which builds the group has", query=query)
    return SurveyState(
        **{
            **asdict(state),
            "found_apps": [app],
            "found_groups": [found.id for found in groups],
            "found_testers": [tester.email.lower() for tester in testers if tester.email],
            "found_distributions": [f"{build.id}/{group.id}" for build in builds if group],
            "found_localizations": [localization.id for localization in texts],
            "found_profiles": [
                profile.id
                for profile in profiles
                if profile.bundle_id and profile.bundle_id.id in state.found_bundle_ids
            ],
            "adopted": [
                *state.adopted,
                f"the app record {app}",
                *(
                    [f"tester group '{group.name}' with {len(testers)} testers and {len(builds)} builds"]
                    if group
                    else []
                ),
                *(f"test information in {localization.locale}" for localization in texts),
            ],
        }
    )


class Survey(Resource[SurveyArgs], module="appstore", name="Survey"):
    """What the team had of the app before the stack created anything. `id` is the bundle ID. Taken once, and never again."""

    provider = SurveyProvider
    found_bundle_ids: Output[list[str]]
    found_groups: Output[list[str]]
    found_testers: Output[list[str]]
    found_distributions: Output[list[str]]
    found_localizations: Output[list[str]]
    found_certificates: Output[list[str]]
    found_profiles: Output[list[str]]
