"""Distributes a build to a tester group: writes its texts, sets the notification, adds it to the group, and waits until testers can
install it.

They can when the group has the build and its state is READY_FOR_BETA_TESTING or IN_BETA_TESTING. Apple reports the second only once
a tester of the group is active. This resource does not wait for that: people can take days to accept an invitation.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import asdict, replace
from pulumi import Output

from providers.adoption import Adoptable
from providers.appstore.api import client, errors, objects
from providers.appstore.texts import text_problems
from providers.errors import ErrorText, Problem, ProblemText
from providers.properties import REPLACES, is_known
from providers.record import Input, field
from providers.resource import Provider, Resource

WAIT_SECONDS = 900

EXPIRED = ErrorText(
    "build {build_id} is EXPIRED: testers cannot start a build later than 90 days after its upload",
    remedy="upload a new build with a higher build number",
)
NOT_PREPARED = ErrorText(
    "build {build_id} is in state PROCESSING_EXCEPTION: Apple could not prepare it for testing",
    remedy="upload it again with a higher build number",
)
NOT_FOR_GROUP = ErrorText(
    "build {build_id} is older than tester group {group_id}, which gets all builds that are uploaded after it was created, and no "
    "others",
    remedy="upload a new build with a higher build number",
)
TAKEN_FROM_TESTERS = ProblemText(
    "automatic",
    "the group is going to get all builds that are uploaded after it is created: build {build_id} is older, and its testers would lose it",
    remedy="raise the build number in the same change (config key build)",
)
FINAL_STATES = {"EXPIRED": EXPIRED, "PROCESSING_EXCEPTION": NOT_PREPARED}
"""Internal build states from which a build never becomes installable."""
AVAILABLE_STATES = ("READY_FOR_BETA_TESTING", "IN_BETA_TESTING")
"""Internal build states in which the testers of a group that has the build can install it."""


class BuildDistributionArgs(Adoptable):
    build_id: Input[str]
    """Changed in place: the group gets the new build, then the old one is removed from it."""
    group_id: Annotated[Input[str], REPLACES]
    whats_new: Input[dict[str, str]] = field(default_factory=dict)
    """The text "What to Test" by locale. Texts of other locales stay as they are."""
    notify: Input[bool] = field(default=True)
    """Whether TestFlight notifies the testers. It is set before they get the build, so that everybody is notified once."""
    automatic: Input[bool] = field(default=False)
    """Whether the group gets all builds automatically; Apple then refuses to add this one."""


class BuildDistributionState(BuildDistributionArgs):
    internal_state: str
    """Apple's internalBuildState: READY_FOR_BETA_TESTING until a tester is active, IN_BETA_TESTING, EXPIRED."""


class BuildDistributionProvider(Provider[BuildDistributionArgs, BuildDistributionState]):
    Args = BuildDistributionArgs
    State = BuildDistributionState
    validates_unknown = True  # A group that is about to be replaced is unknown.

    def validate(self, args: BuildDistributionArgs, old: BuildDistributionArgs | None) -> Iterable[Problem]:
        if is_known(args.whats_new):
            yield from text_problems(args.whats_new)
        if old and is_known(args.automatic) and args.automatic and not old.automatic and args.build_id == old.build_id:
            yield TAKEN_FROM_TESTERS(build_id=args.build_id)

    def ensure(self, args: BuildDistributionArgs) -> tuple[str, BuildDistributionState]:
        return f"{args.build_id}/{args.group_id}", self._distribute(args)

    def sync(self, id: str, state: BuildDistributionState, args: BuildDistributionArgs) -> BuildDistributionState:
        distributed = self._distribute(args)
        if state.build_id != args.build_id:
            self.remove(id, state)
        return distributed

    def observe(self, id: str, state: BuildDistributionState) -> BuildDistributionState | None:
        store = client.AppStore(self.config)
        build = _build(store, state) if state.automatic else _in_group(store, state)
        if build is None:
            return None
        detail = build.build_beta_detail
        texts = {localization.locale: localization.whats_new for localization in _localizations(store, state)}
        return replace(
            state,
            whats_new={locale: texts[locale] for locale in state.whats_new if locale in texts},
            notify=bool(detail and detail.auto_notify_enabled),
            internal_state=detail.internal_build_state if detail else "",
        )

    def remove(self, id: str, state: BuildDistributionState) -> None:
        """Removes the build from the group. Testers who have installed it keep it until it expires."""
        if not state.automatic:
            client.AppStore(self.config).unlink(
                objects.Build.ref(state.build_id),
                [objects.BetaGroup.ref(state.group_id)],
                doing="remove the build from the tester group",
            )

    def _distribute(self, args: BuildDistributionArgs) -> BuildDistributionState:
        store = client.AppStore(self.config)
        _write_texts(store, args)
        _set_notification(store, args)
        if not args.automatic and _in_group(store, args) is None:
            _add_to_group(store, args)
        return BuildDistributionState(**asdict(args), internal_state=_wait_until_available(store, args))


def _write_texts(store: "client.AppStore", args: BuildDistributionArgs) -> None:
    existing = (
        {localization.locale: localization for localization in _localizations(store, args)} if args.whats_new else {}
    )
    for locale, text in args.whats_new.items():
        entry = existing.get(locale) or _create_text(store, args, locale, text)
        if entry.whats_new != text:
            doing = f"write What to Test in {locale}"
            store.update(objects.BetaBuildLocalization, entry.id, {"whats_new": text}, doing=doing)


def _create_text(
    store: "client.AppStore", args: BuildDistributionArgs, locale: str, text: str
) -> "objects.BetaBuildLocalization":
    """Create the text of a locale. Returns the existing one if Apple has just created it, as it does for the primary language."""

    def find() -> "objects.BetaBuildLocalization | None":
        return next(
            (localization for localization in _localizations(store, args) if localization.locale == locale), None
        )

    try:
        return store.create(
            objects.BetaBuildLocalization,
            {"locale": locale, "whats_new": text, "build": objects.Build.ref(args.build_id)},
            doing=f"write What to Test in {locale}",
            find=find,
        )
    except errors.AppStoreError as error:
        entry = client.retry_until_visible(find) if error.says("same 'locale'") else None
        if entry is None:
            raise
        return entry


def _set_notification(store: "client.AppStore", args: BuildDistributionArgs) -> None:
    detail = _detail(store, args)
    if detail.auto_notify_enabled != args.notify:
        doing = "set whether testers are notified of the build"
        store.update(objects.BuildBetaDetail, detail.id, {"auto_notify_enabled": args.notify}, doing=doing)


def _add_to_group(store: "client.AppStore", args: BuildDistributionArgs) -> None:
    try:
        store.link(
            objects.Build.ref(args.build_id),
            [objects.BetaGroup.ref(args.group_id)],
            doing="add the build to the tester group",
        )
    except errors.AppStoreError as error:
        # Apple's refusal for a group that gets every build automatically.
        if error.says("Cannot add internal group to a build"):
            return
        # A retry after a lost response is refused if the first call was successful.
        if error.status not in (409, 422) or error.says("assignable state"):
            raise
        if client.retry_until_visible(lambda: _in_group(store, args), seconds=client.INDEX_SECONDS) is None:
            raise


def _wait_until_available(store: "client.AppStore", args: BuildDistributionArgs) -> str:
    """The state of the build once the group has it and its testers can install it."""
    seen = ""

    def available() -> str | None:
        nonlocal seen
        build = _in_automatic_group(store, args) if args.automatic else _in_group(store, args)
        detail = (build and build.build_beta_detail) or _detail(store, args)
        seen = f"{detail.internal_build_state}, {'in the group' if build else 'not in the group'}"
        if detail.internal_build_state in FINAL_STATES:
            raise FINAL_STATES[detail.internal_build_state](build_id=args.build_id)
        return detail.internal_build_state if build and detail.internal_build_state in AVAILABLE_STATES else None

    return store.poll(
        available,
        seconds=WAIT_SECONDS,
        waiting_for=f"the testers to get build {args.build_id}",
        remedy="run `pulumi up` again to continue waiting",
        last_seen=lambda: seen,
        action="releasing to group",
    )


def _detail(store: "client.AppStore", args: BuildDistributionArgs) -> "objects.BuildBetaDetail":
    build = objects.Build.ref(args.build_id)
    doing = "read the testing state of the build"
    return store.poll(
        lambda: store.get_related(objects.BuildBetaDetail, build, "buildBetaDetail", doing=doing),
        seconds=client.LAG_SECONDS,
        waiting_for=f"the testing state of build {args.build_id}",
    )


def _localizations(store: "client.AppStore", args: BuildDistributionArgs) -> "list[objects.BetaBuildLocalization]":
    return store.list_all(
        objects.BetaBuildLocalization, doing="read What to Test", query={"filter[build]": args.build_id}
    )


def _in_group(store: "client.AppStore", args: BuildDistributionArgs) -> "objects.Build | None":
    """The build with its testing state, if the group has it."""
    found = store.list_all(
        objects.Build,
        doing="look whether the testers have the build",
        query={"include": "buildBetaDetail", "filter[id]": args.build_id, "filter[betaGroups]": args.group_id},
    )
    return found[0] if found else None


def _in_automatic_group(store: "client.AppStore", args: BuildDistributionArgs) -> "objects.Build | None":
    """The build, if a group with access to all builds has it. Apple does not document whether it lists such a group's builds, so
    their dates decide: the group gets what is uploaded after it was created. Raises for an older build."""
    build, group = _build(store, args), store.get(objects.BetaGroup, args.group_id, doing="read the tester group")
    dates = (build and build.uploaded_date, group and group.created_date)
    if dates[0] and dates[1] and dates[0].moment < dates[1].moment and _in_group(store, args) is None:
        raise NOT_FOR_GROUP(build_id=args.build_id, group_id=args.group_id)
    return build


def _build(store: "client.AppStore", args: BuildDistributionArgs) -> "objects.Build | None":
    return store.get(objects.Build, args.build_id, doing="read the build", query={"include": "buildBetaDetail"})


class BuildDistribution(Resource[BuildDistributionArgs], module="appstore", name="BuildDistribution"):
    """The build that a group of testers can install. `id` is `<build>/<group>`, with the group's first build."""

    provider = BuildDistributionProvider
    build_id: Output[str]
    group_id: Output[str]
    whats_new: Output[dict[str, str]]
    internal_state: Output[str]
