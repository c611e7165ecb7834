"""The testers of a group as one set, brought about in the fewest calls.

Up to 200 members cost one call to look at, and as long as nobody is missing that is all. Missing people who are testers of the
team already are linked in one call; only somebody who is new to the team costs a call of their own. An internal group takes
users of the team alone: others are named in the error, or invited as users where that is allowed.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import pulumi
from pulumi import Input, Output

from providers.appstore.client import LAG_SECONDS, AppStore, Entity
from providers.appstore.errors import AppStoreError
from providers.errors import Incomplete, TimedOut
from providers.properties import REPLACES
from providers.resource import Provider, Resource

INTERNAL_TESTERS = 100
"""How many testers an internal group may have."""
FILTERED_EMAILS = 50
"""Addresses in one filter, so that the request's line stays short."""


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


class BetaTestersProvider(Provider[BetaTestersArgs, BetaTestersState]):
    Args = BetaTestersArgs
    State = BetaTestersState

    def validate(self, args: BetaTestersArgs, old: BetaTestersArgs | None) -> Iterable[str]:
        emails = [_key(tester.email) for tester in args.testers]
        for email in sorted(set(emails)):
            if not re.fullmatch(r"[^@\s,]+@[^@\s,]+\.[^@\s,.]+", email):
                yield f"'{email}' is no e-mail address"
            if emails.count(email) > 1:
                yield f"{email} is listed {emails.count(email)} times"
        if args.internal and len(set(emails)) > INTERNAL_TESTERS:
            yield f"{len(set(emails))} testers are listed; an internal group holds {INTERNAL_TESTERS}"
        if args.invite_users:
            for tester in args.testers:
                if not (tester.first_name and tester.last_name):
                    yield f"{tester.email} needs first_name and last_name, because invite_users may have to invite them"

    def differing(self, state: BetaTestersState, args: BetaTestersArgs) -> Iterable[str]:
        for name in ("group_id", "app_id"):
            if getattr(state, name) != getattr(args, name):
                yield name
        wanted = {_key(tester.email) for tester in args.testers}
        if {_key(email) for email in state.tester_ids} != wanted or (args.remove_unlisted and state.unlisted):
            yield "testers"

    def ensure(self, args: BetaTestersArgs) -> tuple[str, BetaTestersState]:
        return args.group_id, self._reconcile(args)

    def observe(self, id: str, state: BetaTestersState) -> BetaTestersState | None:
        store = AppStore(self.config)
        if store.get(f"/v1/betaGroups/{state.group_id}", doing="read the tester group") is None:
            return None
        return _state(state, _members(store, state.group_id))

    def sync(self, id: str, state: BetaTestersState, args: BetaTestersArgs) -> BetaTestersState:
        return self._reconcile(args)

    def remove(self, id: str, state: BetaTestersState) -> None:
        """Takes the listed people out of the group. They stay testers of the team, and users of it."""
        if state.tester_ids:
            AppStore(self.config).unlink(
                f"/v1/betaGroups/{state.group_id}/relationships/betaTesters",
                "betaTesters",
                state.tester_ids.values(),
                doing="take the testers out of their group",
            )

    def _reconcile(self, args: BetaTestersArgs) -> BetaTestersState:
        store = AppStore(self.config)
        members = _members(store, args.group_id)
        missing = [tester for tester in args.testers if _key(tester.email) not in members]
        left_out: list[str] = []
        if missing:
            missing, left_out = self._admissible(store, args, missing)
            _link(store, args.group_id, missing)
            members = _members_with(store, args.group_id, missing)
            left_out += [
                f"{tester.email} was added, but App Store Connect does not show them in the group yet: run up again"
                for tester in missing
                if _key(tester.email) not in members
            ]
        listed = {_key(tester.email) for tester in args.testers}
        unlisted = [member for email, member in members.items() if email not in listed]
        if unlisted and args.remove_unlisted:
            store.unlink(
                f"/v1/betaGroups/{args.group_id}/relationships/betaTesters",
                "betaTesters",
                [member.id for member in unlisted],
                doing=f"take {len(unlisted)} people out of the tester group who are not listed",
            )
            members = {email: member for email, member in members.items() if email in listed}
        state = _state(args, members)
        if left_out:
            raise Incomplete(args.group_id, state, *left_out)
        return state

    def _admissible(
        self, store: AppStore, args: BetaTestersArgs, missing: Sequence[Tester]
    ) -> tuple[list[Tester], list[str]]:
        """Those who can be added now, and a sentence on each of the others."""
        if not args.internal:
            return list(missing), []
        users = _by_email(store, "/v1/users", "username", [tester.email for tester in missing])
        outsiders = [tester for tester in missing if _key(tester.email) not in users]
        if not outsiders:
            return list(missing), []
        if args.invite_users:
            sentences = self._invite(store, args, outsiders)
        else:
            sentences = [
                f"{tester.email} is no user of the team, and only users can test internally: invite them at "
                "https://appstoreconnect.apple.com/access/users (or let this program do it with invite_users), "
                "and run up again once they have accepted"
                for tester in outsiders
            ]
        return [tester for tester in missing if tester not in outsiders], sentences

    def _invite(self, store: AppStore, args: BetaTestersArgs, outsiders: Sequence[Tester]) -> list[str]:
        invited = _by_email(store, "/v1/userInvitations", "email", [tester.email for tester in outsiders])
        for tester in outsiders:
            if _key(tester.email) not in invited:
                store.create(
                    "userInvitations",
                    {
                        "email": tester.email,
                        "firstName": tester.first_name,
                        "lastName": tester.last_name,
                        "roles": args.invite_roles,
                        "allAppsVisible": False,
                    },
                    {"visibleApps": ("apps", [args.app_id])},
                    doing=f"invite {tester.email} as a user of the team",
                    find=lambda email=tester.email: _by_email(  # type: ignore[misc]
                        store, "/v1/userInvitations", "email", [email]
                    ).get(_key(email)),
                )
        return [
            f"{tester.email} is invited to be a user of the team and has not accepted yet: once they have, run up again"
            for tester in outsiders
        ]


def _link(store: AppStore, group_id: str, missing: Sequence[Tester]) -> None:
    """Put people into the group: known testers of the team in one call, each new one with a call that makes them."""
    if not missing:
        return
    known = _by_email(store, "/v1/betaTesters", "email", [tester.email for tester in missing])
    if known:
        try:
            store.link(
                f"/v1/betaGroups/{group_id}/relationships/betaTesters",
                "betaTesters",
                [each.id for each in known.values()],
                doing=f"add {len(known)} testers to their group",
            )
        except AppStoreError as error:
            # 409 for somebody who is in it already (asc #2600); who is in it is read back by the caller in any case.
            if error.status != 409 or error.has("STATE_ERROR"):
                raise
    for tester in missing:
        if _key(tester.email) not in known:
            try:
                store.create(
                    "betaTesters",
                    {"email": tester.email, "firstName": tester.first_name, "lastName": tester.last_name},
                    {"betaGroups": ("betaGroups", [group_id])},
                    doing=f"add tester {tester.email}",
                    find=lambda email=tester.email: _members(store, group_id).get(_key(email)),  # type: ignore[misc]
                )
            except AppStoreError as error:
                if error.status != 409 or error.has("STATE_ERROR"):
                    raise


def _members(store: AppStore, group_id: str) -> dict[str, Entity]:
    listed = store.list_all(
        "/v1/betaTesters", doing="list the members of the tester group", **{"filter[betaGroups]": group_id}
    )
    return {_key(str(each["email"])): each for each in listed}


def _members_with(store: AppStore, group_id: str, added: Sequence[Tester]) -> dict[str, Entity]:
    """The members once all `added` are among them, or when App Store Connect has had time enough to show them."""
    members: dict[str, Entity] = {}

    def all_there() -> bool | None:
        nonlocal members
        members = _members(store, group_id)
        return True if {_key(tester.email) for tester in added} <= members.keys() else None

    with contextlib.suppress(TimedOut):
        store.poll(all_there, seconds=LAG_SECONDS, waiting_for="the testers to show up in their group")
    return members


def _by_email(store: AppStore, path: str, attribute: str, emails: Sequence[str]) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    for start in range(0, len(emails), FILTERED_EMAILS):
        batch = emails[start : start + FILTERED_EMAILS]
        listed = store.list_all(path, doing=f"look up {len(batch)} people", **{f"filter[{attribute}]": batch})
        found |= {_key(str(each[attribute])): each for each in listed}
    wanted = {_key(email) for email in emails}
    return {email: entity for email, entity in found.items() if email in wanted}


def _key(email: str) -> str:
    return email.strip().lower()


def _state(args: BetaTestersArgs, members: dict[str, Entity]) -> BetaTestersState:
    listed = {_key(tester.email) for tester in args.testers}
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
    )


class BetaTesters(Resource, module="appstore", name="BetaTesters"):
    """Who is in a tester group. `id` is the group's."""

    provider = BetaTestersProvider
    group_id: Output[str]
    testers: Output[list[dict[str, Any]]]
    tester_ids: Output[dict[str, str]]
    unlisted: Output[list[str]]

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
