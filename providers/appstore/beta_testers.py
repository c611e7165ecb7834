"""The testers of a group as one set, brought about in the fewest calls.

Up to 200 members cost one call to look at, and as long as nobody is missing that is all. Missing people who are testers of the
team already are linked in one call; only somebody who is new to the team costs a call of their own.

An internal group takes users of the team alone. Others are named in the error, which stops what depends on the group; or they
are invited as users where that is allowed, which takes them days perhaps, and stops nothing: as long as somebody has not accepted
the resource differs from what it should be, and each `up` looks again.
"""

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers import engine
from providers.appstore.api import team
from providers.appstore.api.client import LAG_SECONDS, AppStore, Entity
from providers.appstore.api.errors import AppStoreError
from providers.appstore.api.team import key
from providers.errors import Incomplete, TimedOut
from providers.properties import REPLACES
from providers.resource import Provider, Resource

INTERNAL_TESTERS = 100
"""How many testers an internal group may have."""
NO_USER = (
    "is no user of the team, and only users can test internally: invite them at "
    "https://appstoreconnect.apple.com/access/users (or let this program do it: solos:inviteTesters), and run up again once they "
    "have accepted"
)
CANNOT_TEST = (
    "cannot be in the group: that needs access to the app and one of the roles "
    f"{', '.join(team.TESTING_ROLES)} (https://appstoreconnect.apple.com/access/users), and a place among the "
    f"{INTERNAL_TESTERS} of the group; then run up again"
)
NOT_SHOWN = "was added, but App Store Connect does not show them in the group yet: run up again"
"""What is said of somebody who cannot be added, after the address."""


@dataclass(frozen=True, kw_only=True)
class Tester:
    email: str
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class BetaTestersArgs:
    group_id: Annotated[str, REPLACES]
    app_id: Annotated[str, REPLACES]
    testers: list[Tester]
    """Matched by address, whatever its case. Names are used when somebody is new; nobody is renamed."""
    internal: bool = True
    """Whether the group is an internal one, which takes users of the team only."""
    invite_users: bool = False
    """Invite people who are no users of the team, so that they can become testers; they have to accept."""
    invite_roles: list[str] = field(default_factory=lambda: ["DEVELOPER"])
    remove_unlisted: bool = False
    """Take members who are not listed out of the group. Otherwise they stay, and `unlisted` names them."""


@dataclass(frozen=True, kw_only=True)
class BetaTestersState(BetaTestersArgs):
    tester_ids: dict[str, str] = field(default_factory=dict)
    """Apple's tester id by address, of those listed who are in the group."""
    unlisted: list[str] = field(default_factory=list)
    """Addresses of members who are not listed."""
    invited: dict[str, str] = field(default_factory=dict)
    """Who has been invited to be a user of the team and has not accepted: until when the invitation is good, by address."""


class BetaTestersProvider(Provider[BetaTestersArgs, BetaTestersState]):
    Args = BetaTestersArgs
    State = BetaTestersState

    def validate(self, args: BetaTestersArgs, old: BetaTestersArgs | None) -> Iterable[str]:
        emails = [key(tester.email) for tester in args.testers]
        for email in sorted(set(emails)):
            if not re.fullmatch(r"[^@\s,]+@[^@\s,]+\.[^@\s,.]+", email):
                yield f"'{email}' is no e-mail address"
            if emails.count(email) > 1:
                yield f"{email} is listed {emails.count(email)} times"
        if args.internal and len(set(emails)) > INTERNAL_TESTERS:
            yield f"{len(set(emails))} testers are listed; an internal group holds {INTERNAL_TESTERS}"
        if args.invite_users:
            if not set(args.invite_roles) & set(team.TESTING_ROLES):
                yield f"invite_roles has to have one of the roles that can test: {', '.join(team.TESTING_ROLES)}"
            for tester in args.testers:
                if not (tester.first_name and tester.last_name):
                    yield f"{tester.email} needs a first and a last name to be invited with"

    def changed_fields(self, state: BetaTestersState, args: BetaTestersArgs) -> Iterable[str]:
        for name in ("group_id", "app_id"):
            if getattr(state, name) != getattr(args, name):
                yield name
        wanted = {key(tester.email) for tester in args.testers}
        if {key(email) for email in state.tester_ids} != wanted or (args.remove_unlisted and state.unlisted):
            yield "testers"

    def ensure(self, args: BetaTestersArgs) -> tuple[str, BetaTestersState]:
        return args.group_id, self._reconcile(args)

    def observe(self, id: str, state: BetaTestersState) -> BetaTestersState | None:
        store = AppStore(self.config)
        members = _members(store, state.group_id)
        if not members and store.get(f"/v1/betaGroups/{state.group_id}", doing="read the tester group") is None:
            return None
        return _state(state, members, {email: until for email, until in state.invited.items() if email not in members})

    def sync(self, id: str, state: BetaTestersState, args: BetaTestersArgs) -> BetaTestersState:
        return self._reconcile(args)

    def remove(self, id: str, state: BetaTestersState) -> None:
        """Takes the listed people out of the group. They stay testers of the team, and users of it."""
        store = AppStore(self.config)
        _unlink(store, state.group_id, state.tester_ids.values(), doing="take the testers out of their group")

    def _reconcile(self, args: BetaTestersArgs) -> BetaTestersState:
        store = AppStore(self.config)
        listed = {key(tester.email) for tester in args.testers}
        members = _members(store, args.group_id)
        if args.remove_unlisted:  # first, because the group may be full
            members = _without_unlisted(store, args.group_id, members, listed)
        missing = [tester for tester in args.testers if key(tester.email) not in members]
        users = _admissible(store, args, missing)
        outsiders = [tester for tester in missing if tester not in users]
        left_out = _add(store, args.group_id, users)
        added = [tester for tester in users if key(tester.email) not in left_out]
        members = _members_with(store, args.group_id, added) if added else members
        left_out |= {key(tester.email): NOT_SHOWN for tester in added if key(tester.email) not in members}
        invited = team.invite(store, outsiders, args.invite_roles, args.app_id) if args.invite_users else {}
        left_out |= {key(tester.email): NO_USER for tester in outsiders if not args.invite_users}
        state = _state(args, members, invited)
        if state.unlisted:
            engine.note(f"also in the group, though not listed: {', '.join(state.unlisted)}")
        if invited:
            people = ", ".join(f"{email} (until {until[:10]})" for email, until in invited.items())
            engine.note(f"invited to the team, and not accepted yet: {people}; an up after they have adds them")
        if left_out:
            raise Incomplete(args.group_id, state, *(f"{email} {problem}" for email, problem in left_out.items()))
        return state


def _admissible(store: AppStore, args: BetaTestersArgs, missing: Sequence[Tester]) -> list[Tester]:
    """Those who can be added now: anybody to an external group, users of the team to an internal one."""
    if not (args.internal and missing):
        return list(missing)
    users = team.users(store, [tester.email for tester in missing])
    return [tester for tester in missing if key(tester.email) in users]


def _add(store: AppStore, group_id: str, missing: Sequence[Tester]) -> dict[str, str]:
    """Put people into the group: known testers of the team in one call, each new one with a call that makes them. For each
    who is refused, by address, what to do about it; somebody who is in the group already is not refused."""
    if not missing:
        return {}
    known = team.by_email(store, "/v1/betaTesters", "email", [tester.email for tester in missing])
    refused: dict[str, str] = {}
    try:
        _link(store, group_id, known.values())
    except AppStoreError as error:
        if error.status != 409:
            raise
        # For one who cannot be a member, or is one already (asc #2600), all are refused: so each of the others by himself.
        members = _members(store, group_id)
        for email, entity in known.items():
            if email not in members:
                with _noting_refusal(refused, email):
                    _link(store, group_id, [entity])
    for tester in missing:
        if key(tester.email) not in known:
            with _noting_refusal(refused, key(tester.email)):
                _make(store, group_id, tester)
    return refused


def _make(store: AppStore, group_id: str, tester: Tester) -> None:
    store.create(
        "betaTesters",
        {"email": tester.email, "firstName": tester.first_name, "lastName": tester.last_name},
        {"betaGroups": ("betaGroups", [group_id])},
        doing=f"add tester {tester.email}",
        find=lambda: _members(store, group_id).get(key(tester.email)),
    )


@contextlib.contextmanager
def _noting_refusal(refused: dict[str, str], email: str) -> Iterator[None]:
    try:
        yield
    except AppStoreError as error:
        if error.status != 409:
            raise
        if error.has("STATE_ERROR"):
            refused[email] = CANNOT_TEST


def _link(store: AppStore, group_id: str, testers: Collection[Entity]) -> None:
    if testers:
        store.link(
            f"/v1/betaGroups/{group_id}/relationships/betaTesters",
            "betaTesters",
            [tester.id for tester in testers],
            doing=f"add {len(testers)} testers to their group",
        )


def _unlink(store: AppStore, group_id: str, ids: Collection[str], *, doing: str) -> None:
    if ids:
        store.unlink(f"/v1/betaGroups/{group_id}/relationships/betaTesters", "betaTesters", ids, doing=doing)


def _without_unlisted(
    store: AppStore, group_id: str, members: dict[str, Entity], listed: Collection[str]
) -> dict[str, Entity]:
    """Takes those who are not listed out of the group; the members who stay."""
    unlisted = [member.id for email, member in members.items() if email not in listed]
    _unlink(store, group_id, unlisted, doing=f"take {len(unlisted)} people out of the tester group who are not listed")
    return {email: member for email, member in members.items() if email in listed}


def _members(store: AppStore, group_id: str) -> dict[str, Entity]:
    listed = store.list_all(
        "/v1/betaTesters", doing="list the members of the tester group", **{"filter[betaGroups]": group_id}
    )
    return {key(str(each["email"])): each for each in listed}


def _members_with(store: AppStore, group_id: str, added: Sequence[Tester]) -> dict[str, Entity]:
    """The members once all `added` are among them, or when App Store Connect has had time enough to show them."""
    members: dict[str, Entity] = {}

    def all_there() -> bool | None:
        nonlocal members
        members = _members(store, group_id)
        return True if {key(tester.email) for tester in added} <= members.keys() else None

    with contextlib.suppress(TimedOut):
        store.poll(all_there, seconds=LAG_SECONDS, waiting_for="the testers to show up in their group")
    return members


def _state(args: BetaTestersArgs, members: dict[str, Entity], invited: dict[str, str]) -> BetaTestersState:
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


class BetaTesters(Resource[Any], module="appstore", name="BetaTesters"):
    """Who is in a tester group. `id` is the group's."""

    provider = BetaTestersProvider
    group_id: Output[str]
    testers: Output[list[dict[str, Any]]]
    tester_ids: Output[dict[str, str]]
    unlisted: Output[list[str]]
    invited: Output[dict[str, str]]

    def __init__(
        self,
        resource_name: str,
        *,
        group_id: Input[str],
        app_id: Input[str],
        testers: Input[Sequence[Input[dict[str, Any]]]],
        internal: Input[bool] = True,
        invite_users: Input[bool] = False,
        invite_roles: Input[Sequence[str]] | None = None,
        remove_unlisted: Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "group_id": group_id,
            "app_id": app_id,
            "testers": testers,
            "internal": internal,
            "invite_users": invite_users,
            "invite_roles": invite_roles,
            "remove_unlisted": remove_unlisted,
        }
        super().__init__(resource_name, arguments, opts)
