"""A build in the hands of a tester group: its texts, the announcement, the group, and Apple's word that testing is on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import engine
from providers.appstore.api.client import LAG_SECONDS, AppStore, Entity, patiently
from providers.appstore.api.errors import AppStoreError
from providers.errors import ProviderError
from providers.properties import REPLACES
from providers.resource import Provider, Resource

LONGEST_TEXT = 4000
WAIT_SECONDS = 900
HOPELESS = {
    "EXPIRED": "90 days after its upload nobody can start it any more; raise solos:build and upload a new one",
    "PROCESSING_EXCEPTION": "Apple could not make it ready for testing; raise solos:build and upload it again",
}
"""States out of which waiting does not help, and what does."""


@dataclass(frozen=True, kw_only=True)
class BuildDistributionArgs:
    build_id: Annotated[str, REPLACES]
    group_id: Annotated[str, REPLACES]
    whats_new: dict[str, str] = field(default_factory=dict)
    """The text "What to Test" by locale. Texts of other locales stay as they are."""
    notify: bool = True
    """Whether TestFlight tells the testers. Set before they get the build, so that nobody is told twice or not at all."""
    automatic: bool = False
    """Whether the group has access to all builds by itself; then Apple refuses to be told about this one."""


@dataclass(frozen=True, kw_only=True)
class BuildDistributionState(BuildDistributionArgs):
    internal_state: str
    """Apple's internalBuildState: IN_BETA_TESTING, later EXPIRED."""


class BuildDistributionProvider(Provider[BuildDistributionArgs, BuildDistributionState]):
    Args = BuildDistributionArgs
    State = BuildDistributionState

    def validate(self, args: BuildDistributionArgs, old: BuildDistributionArgs | None) -> Iterable[str]:
        return text_problems(args.whats_new)

    def ensure(self, args: BuildDistributionArgs) -> tuple[str, BuildDistributionState]:
        return f"{args.build_id}/{args.group_id}", self._distribute(args)

    def sync(self, id: str, state: BuildDistributionState, args: BuildDistributionArgs) -> BuildDistributionState:
        return self._distribute(args)

    def observe(self, id: str, state: BuildDistributionState) -> BuildDistributionState | None:
        store = AppStore(self.config)
        build = _build(store, state) if state.automatic else _in_group(store, state)
        if build is None:
            return None
        detail = build.related("buildBetaDetail")
        texts = {str(each["locale"]): str(each["whatsNew"] or "") for each in _localizations(store, state)}
        return replace(
            state,
            whats_new={locale: texts[locale] for locale in state.whats_new if locale in texts},
            notify=bool(detail and detail["autoNotifyEnabled"]),
            internal_state=str(detail["internalBuildState"]) if detail else "",
        )

    def remove(self, id: str, state: BuildDistributionState) -> None:
        """Takes the build out of the group. Testers who installed it keep it until it expires."""
        if not state.automatic:
            AppStore(self.config).unlink(
                f"/v1/builds/{state.build_id}/relationships/betaGroups",
                "betaGroups",
                [state.group_id],
                doing="take the build from the testers",
            )

    def _distribute(self, args: BuildDistributionArgs) -> BuildDistributionState:
        store = AppStore(self.config)
        _write_texts(store, args)
        _set_announcement(store, args)
        if not args.automatic and _in_group(store, args) is None:
            _give(store, args)
        return BuildDistributionState(**vars(args), internal_state=_wait_until_tested(store, args))


def text_problems(texts: Mapping[str, str]) -> Iterable[str]:
    """What Apple would not take in texts by locale."""
    for locale, text in texts.items():
        if not text.strip():
            yield f"the text for {locale} is empty"
        if len(text) > LONGEST_TEXT:
            yield f"the text for {locale} has {len(text)} characters, Apple takes {LONGEST_TEXT}"
        if "<" in text or any(ord(character) > 0xFFFF for character in text):
            yield f"the text for {locale} has a '<' or an emoji, which Apple refuses: write it in words"


def _write_texts(store: AppStore, args: BuildDistributionArgs) -> None:
    there = {str(each["locale"]): each for each in _localizations(store, args)} if args.whats_new else {}
    for locale, text in args.whats_new.items():
        entry = there.get(locale) or _make_text(store, args, locale, text)
        if entry["whatsNew"] != text:
            store.update(entry, {"whatsNew": text}, doing=f"write What to Test in {locale}")


def _make_text(store: AppStore, args: BuildDistributionArgs, locale: str, text: str) -> Entity:
    """The entry of a locale; the one that is there already, if Apple has made it meanwhile, as it does for the first language."""

    def find() -> Entity | None:
        return next((each for each in _localizations(store, args) if each["locale"] == locale), None)

    try:
        return store.create(
            "betaBuildLocalizations",
            {"locale": locale, "whatsNew": text},
            {"build": ("builds", args.build_id)},
            doing=f"write What to Test in {locale}",
            find=find,
        )
    except AppStoreError as error:
        entry = patiently(find) if error.says("same 'locale'") else None
        if entry is None:
            raise
        return entry


def _set_announcement(store: AppStore, args: BuildDistributionArgs) -> None:
    detail = _detail(store, args)
    if bool(detail["autoNotifyEnabled"]) != args.notify:
        store.update(detail, {"autoNotifyEnabled": args.notify}, doing="set whether testers are told about the build")


def _give(store: AppStore, args: BuildDistributionArgs) -> None:
    try:
        store.link(
            f"/v1/builds/{args.build_id}/relationships/betaGroups",
            "betaGroups",
            [args.group_id],
            doing="give the build to the testers",
        )
    except AppStoreError as error:
        # To a group that gets every build by itself Apple says this; to a repetition after a lost answer, that it is done.
        if error.says("Cannot add internal group to a build"):
            return
        if error.status not in (409, 422) or _in_group(store, args) is None:
            raise


def _wait_until_tested(store: AppStore, args: BuildDistributionArgs) -> str:
    show = engine.progress()
    seen = ""

    def tested() -> str | None:
        nonlocal seen
        seen = str(_detail(store, args)["internalBuildState"])
        show(f"the build is {seen}")
        if seen in HOPELESS:
            raise ProviderError(f"build {args.build_id} is {seen}: {HOPELESS[seen]}")
        return seen if seen == "IN_BETA_TESTING" else None

    late = "; the group gets builds by itself, but none that came before it was made" if args.automatic else ""
    return store.poll(
        tested,
        seconds=WAIT_SECONDS,
        waiting_for=f"build {args.build_id} to be in testing (run up again to wait on{late})",
        last_seen=lambda: seen,
    )


def _detail(store: AppStore, args: BuildDistributionArgs) -> Entity:
    detail = store.poll(
        lambda: store.get(f"/v1/builds/{args.build_id}/buildBetaDetail", doing="read the state of the build's testing"),
        seconds=LAG_SECONDS,
        waiting_for=f"the testing details of build {args.build_id}",
    )
    return detail


def _localizations(store: AppStore, args: BuildDistributionArgs) -> list[Entity]:
    return store.list_all("/v1/betaBuildLocalizations", doing="read What to Test", **{"filter[build]": args.build_id})


def _in_group(store: AppStore, args: BuildDistributionArgs) -> Entity | None:
    """The build with its testing details, if the group has it."""
    found = store.list_all(
        "/v1/builds",
        doing="look whether the testers have the build",
        include="buildBetaDetail",
        **{"filter[id]": args.build_id, "filter[betaGroups]": args.group_id},
    )
    return found[0] if found else None


def _build(store: AppStore, args: BuildDistributionArgs) -> Entity | None:
    return store.get(f"/v1/builds/{args.build_id}", doing="read the build", include="buildBetaDetail")


class BuildDistribution(Resource[Any], module="appstore", name="BuildDistribution"):
    """A build given to a group and in testing. `id` is `<build>/<group>`."""

    provider = BuildDistributionProvider
    build_id: Output[str]
    group_id: Output[str]
    whats_new: Output[dict[str, str]]
    internal_state: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        build_id: Input[str],
        group_id: Input[str],
        whats_new: Input[Mapping[str, Input[str]]] | None = None,
        notify: Input[bool] = True,
        automatic: Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "build_id": build_id,
            "group_id": group_id,
            "whats_new": whats_new,
            "notify": notify,
            "automatic": automatic,
        }
        super().__init__(resource_name, arguments, opts)
