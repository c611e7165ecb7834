"""The testers of a group as one resource, which adds and removes them in the fewest calls.

A group with up to 200 members is read in one call. If all testers are members, that is the only call. People who are already testers of
the team are added in one call; each new one takes one call.

An internal group accepts only users of the team. Other people are either listed in an error, which stops the resources that depend on
the group, or invited as users, if `invite_users` is set. Accepting can take days and does not stop `up`: until everybody has accepted,
the resource differs from its arguments, so each `pulumi up` checks again.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated

from pulumi import Output

from providers import engine
from providers.adoption import Adoptable
from providers.appstore.api import client, errors, objects, team
from providers.appstore.api.addresses import is_email, key
from providers.errors import ErrorText, Incomplete, Problem, ProblemText, TimedOut
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

TESTING_ROLES = ("ACCOUNT_HOLDER", "ADMIN", "APP_MANAGER", "DEVELOPER", "MARKETING")
"""A user needs one of these roles to be an internal tester."""
MAX_INTERNAL_TESTERS = 100
"""How many testers an internal group can have."""
USERS_PAGE = "https://appstoreconnect.apple.com/access/users"

NOT_AN_ADDRESS = ProblemText("testers", "'{email}' is not a valid e-mail address")
DUPLICATE = ProblemText("testers", "{email} is listed {count} times")
TOO_MANY = ProblemText("testers", "{count} testers are listed; an internal group can have {limit}")
NAME_MISSING = ProblemText("testers", "{email} needs a first and a last name to be invited")
NO_TESTING_ROLE = ProblemText("invite_roles", "none of the invited roles can test", remedy="include one of {roles}")

NOT_A_USER = ErrorText(
    "{email} is not a user of the team, and only users can test internally",
    remedy=f"invite them at {USERS_PAGE} (or set invite_users, config key inviteTesters), and run `pulumi up` again once they "
    "have accepted; if they have left the team, take them off the list",
)
CANNOT_TEST = ErrorText(
    "{email} cannot be added to the group: they need to be a user of the team, with access to the app and one of the roles "
    f"{', '.join(TESTING_ROLES)}, and the group can have {MAX_INTERNAL_TESTERS} testers",
    remedy=f"change their access at {USERS_PAGE}, then run `pulumi up` again",
)
NOT_VISIBLE = ErrorText(
    "{email} was added, but App Store Connect does not show them in the group yet", remedy="run `pulumi up` again"
)


class Tester(Record):
    email: str
    first_name: str | None = None
    last_name: str | None = None


class BetaTestersArgs(Adoptable):
    group_id: Annotated[Input[str], REPLACES]
    app_id: Annotated[Input[str], REPLACES]
    testers: Input[list[Tester]]
    """Compared by address, case-insensitively. Names are used only to create or invite people; existing testers are not renamed."""
    internal: Input[bool] = field(default=True)
    """Whether the group is an internal one, which accepts only users of the team."""
    invite_users: Input[bool] = field(default=False)
    """Invite people who are not users of the team, so that they can become testers once they accept."""
    invite_roles: Input[list[str]] = field(default_factory=lambda: ["DEVELOPER"])
    remove_unlisted: Input[bool] = field(default=False)
    """Remove members who are not listed from the group. Otherwise they stay, and `unlisted` names them."""


class BetaTestersState(BetaTestersArgs):
    tester_ids: dict[str, str]
    """Apple's tester id by address, of those listed who are in the group."""
    unlisted: list[str]
    """Addresses of members who are not listed."""
    invited: dict[str, str]
    """Invitations to the team that are not accepted yet: the expiry time by address."""


class BetaTestersProvider(Provider[BetaTestersArgs, BetaTestersState]):
    Args = BetaTestersArgs
    State = BetaTestersState

    def validate(self, args: BetaTestersArgs, old: BetaTestersArgs | None) -> Iterable[Problem]:
        emails = [key(tester.email) for tester in args.testers]
        for email in sorted(set(emails)):
            if not is_email(email):
                yield NOT_AN_ADDRESS(email=email)
            if emails.count(email) > 1:
                yield DUPLICATE(email=email, count=emails.count(email))
        if args.internal and len(set(emails)) > MAX_INTERNAL_TESTERS:
            yield TOO_MANY(count=len(set(emails)), limit=MAX_INTERNAL_TESTERS)
        if args.invite_users:
            if not set(args.invite_roles) & set(TESTING_ROLES):
                yield NO_TESTING_ROLE(roles=", ".join(TESTING_ROLES))
            for tester in args.testers:
                if not (tester.first_name and tester.last_name):
                    yield NAME_MISSING(email=tester.email)

    def changed_fields(self, state: BetaTestersState, args: BetaTestersArgs) -> Iterable[str]:
        for name in ("group_id", "app_id"):
            if getattr(state, name) != getattr(args, name):
                yield name
        wanted = {key(tester.email) for tester in args.testers}
        if {key(email) for email in state.tester_ids} != wanted or (args.remove_unlisted and state.unlisted):
            yield "testers"

    def ensure(self, args: BetaTestersArgs) -> tuple[str, BetaTestersState]:
        return args.group_id, self._converge(args)

    def observe(self, id: str, state: BetaTestersState) -> BetaTestersState | None:
        store = client.AppStore(self.config)
        members = _members(store, state.group_id)
        if not members and store.get(objects.BetaGroup, state.group_id, doing="read the tester group") is None:
            return None
        return _state(state, members, {email: until for email, until in state.invited.items() if email not in members})

    def sync(self, id: str, state: BetaTestersState, args: BetaTestersArgs) -> BetaTestersState:
        return self._converge(args)

    def remove(self, id: str, state: BetaTestersState) -> None:
        """Removes the listed people from the group, except those who were in it before the stack. They stay testers and users of
        the team."""
        added = {email: id for email, id in state.tester_ids.items() if key(email) not in state.existed}
        _unlink(
            client.AppStore(self.config),
            state.group_id,
            added.values(),
            doing="remove the testers from their group",
        )

    def _converge(self, args: BetaTestersArgs) -> BetaTestersState:
        store = client.AppStore(self.config)
        listed = {key(tester.email) for tester in args.testers}
        members = _members(store, args.group_id)
        if args.remove_unlisted:  # first, because the group may be full
            members = _without_unlisted(store, args.group_id, members, listed)
        missing = [tester for tester in args.testers if key(tester.email) not in members]
        users = _admissible(store, args, missing)
        outsiders = [tester for tester in missing if tester not in users]
        failures = dict.fromkeys(_add(store, args.group_id, users), CANNOT_TEST)
        added = [tester for tester in users if key(tester.email) not in failures]
        members = _members_with(store, args.group_id, added) if added else members
        failures |= {key(tester.email): NOT_VISIBLE for tester in added if key(tester.email) not in members}
        invited = team.invite(store, outsiders, args.invite_roles, args.app_id) if args.invite_users else {}
        failures |= {key(tester.email): NOT_A_USER for tester in outsiders if not args.invite_users}
        state = _state(args, members, invited)
        if state.unlisted:
            engine.note(f"also in the group, although not listed: {', '.join(state.unlisted)}")
        if invited:
            people = ", ".join(f"{email} (until {until[:10]})" for email, until in invited.items())
            engine.note(
                f"invited to the team, not accepted yet: {people}; the next `pulumi up` after they accept adds them"
            )
        if failures:
            raise Incomplete(args.group_id, state, *(str(text(email=email)) for email, text in failures.items()))
        return state


def _admissible(store: "client.AppStore", args: BetaTestersArgs, missing: Sequence[Tester]) -> list[Tester]:
    """The testers who can be added now: all of them to an external group, users of the team to an internal one."""
    if not (args.internal and missing):
        return list(missing)
    try:
        users = team.users(store, [tester.email for tester in missing])
    except errors.RoleMissing:
        return list(missing)  # this key cannot list users; Apple refuses people who are not users
    return [tester for tester in missing if key(tester.email) in users]


def _add(store: "client.AppStore", group_id: str, missing: Sequence[Tester]) -> set[str]:
    """Add people to the group: existing testers of the team in one call, each new one with a call that creates the tester. Returns the
    addresses that Apple refuses, except for those that are already in the group."""
    if not missing:
        return set()
    known = team.by_email(store, objects.BetaTester, [tester.email for tester in missing])
    refused: set[str] = set()
    try:
        _link(store, group_id, known.values())
    except errors.AppStoreError as error:
        if error.status != 409:
            raise
        # Apple refuses the whole call if one tester cannot be a member, or already is one. So add the others one by one.
        members = _members(store, group_id)
        for email, tester in known.items():
            if email not in members:
                with _noting_refusal(refused, email):
                    _link(store, group_id, [tester])
    for person in missing:
        if key(person.email) not in known:
            with _noting_refusal(refused, key(person.email)):
                _create(store, group_id, person)
    return refused


def _create(store: "client.AppStore", group_id: str, tester: Tester) -> None:
    store.create(
        objects.BetaTester,
        {
            "email": tester.email,
            "first_name": tester.first_name,
            "last_name": tester.last_name,
            "beta_groups": [objects.BetaGroup.ref(group_id)],
        },
        doing=f"add tester {tester.email}",
        find=lambda: _members(store, group_id).get(key(tester.email)),
    )


@contextlib.contextmanager
def _noting_refusal(refused: set[str], email: str) -> Iterator[None]:
    try:
        yield
    except errors.AppStoreError as error:
        if error.status != 409:
            raise
        if error.has("STATE_ERROR"):
            refused.add(email)


def _link(store: "client.AppStore", group_id: str, testers: "Collection[objects.BetaTester]") -> None:
    if testers:
        refs = [objects.BetaTester.ref(tester.id) for tester in testers]
        store.link(objects.BetaGroup.ref(group_id), refs, doing=f"add {len(refs)} testers to their group")


def _unlink(store: "client.AppStore", group_id: str, ids: Collection[str], *, doing: str) -> None:
    if ids:
        store.unlink(objects.BetaGroup.ref(group_id), [objects.BetaTester.ref(id) for id in ids], doing=doing)


def _without_unlisted(
    store: "client.AppStore", group_id: str, members: "dict[str, objects.BetaTester]", listed: Collection[str]
) -> "dict[str, objects.BetaTester]":
    """Removes those who are not listed from the group; returns the members who stay."""
    unlisted = [member.id for email, member in members.items() if email not in listed]
    _unlink(store, group_id, unlisted, doing=f"remove {len(unlisted)} people who are not listed from the tester group")
    return {email: member for email, member in members.items() if email in listed}


def _members(store: "client.AppStore", group_id: str) -> "dict[str, objects.BetaTester]":
    listed = store.list_all(
        objects.BetaTester, doing="list the members of the tester group", query={"filter[betaGroups]": group_id}
    )
    return {key(tester.email): tester for tester in listed}


def _members_with(store: "client.AppStore", group_id: str, added: Sequence[Tester]) -> "dict[str, objects.BetaTester]":
    """The members, once they include all `added`; the current ones if they still do not after INDEX_SECONDS."""
    members: dict[str, objects.BetaTester] = {}

    def all_visible() -> bool | None:
        nonlocal members
        members = _members(store, group_id)
        return True if {key(tester.email) for tester in added} <= members.keys() else None

    with contextlib.suppress(TimedOut):
        store.poll(
            all_visible,
            seconds=client.INDEX_SECONDS,
            waiting_for="the testers to show up in their group",
            action="adding testers",
        )
    return members


def _state(
    args: BetaTestersArgs, members: "dict[str, objects.BetaTester]", invited: dict[str, str]
) -> BetaTestersState:
    listed = {key(tester.email) for tester in args.testers}
    return BetaTestersState(
        group_id=args.group_id,
        app_id=args.app_id,
        testers=args.testers,
        internal=args.internal,
        invite_users=args.invite_users,
        invite_roles=args.invite_roles,
        remove_unlisted=args.remove_unlisted,
        tester_ids={email: member.id for email, member in sorted(members.items()) if email in listed},
        unlisted=sorted(email for email in members if email not in listed),
        invited=invited,
    )


class BetaTesters(Resource[BetaTestersArgs], module="appstore", name="BetaTesters"):
    """The members of a tester group. `id` is that of the group."""

    provider = BetaTestersProvider
    group_id: Output[str]
    testers: Output[list[dict[str, str]]]
    tester_ids: Output[dict[str, str]]
    unlisted: Output[list[str]]
    invited: Output[dict[str, str]]
