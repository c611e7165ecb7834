"""The team's users, who can be testers of an internal group, and the invitations to become one. All are found by address."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from providers import waiting
from providers.appstore.api.addresses import key
from providers.appstore.api.client import AppStore
from providers.appstore.api.objects import App, BetaTester, User, UserInvitation

FILTERED_EMAILS = 100
"""Addresses in one filter: as many as an internal group has testers, in a request line of about 4000 characters."""

PersonT = TypeVar("PersonT", User, UserInvitation, BetaTester)


class Person(Protocol):
    """Somebody with an address, and with a name if it is known."""

    @property
    def email(self) -> str: ...
    @property
    def first_name(self) -> str | None: ...
    @property
    def last_name(self) -> str | None: ...


def by_email(store: AppStore, kind: type[PersonT], emails: Sequence[str]) -> dict[str, PersonT]:
    """The objects of the people with these addresses, by address. One call per FILTERED_EMAILS addresses."""
    attribute = "username" if kind is User else "email"
    found: dict[str, PersonT] = {}
    for start in range(0, len(emails), FILTERED_EMAILS):
        batch = emails[start : start + FILTERED_EMAILS]
        listed = store.list_all(kind, doing=f"look up {len(batch)} people", query={f"filter[{attribute}]": batch})
        found |= {key(getattr(member, attribute)): member for member in listed}
    wanted = {key(email) for email in emails}
    return {email: person for email, person in found.items() if email in wanted}


def users(store: AppStore, emails: Sequence[str]) -> Collection[str]:
    """Those of the addresses that belong to users of the team."""
    return by_email(store, User, emails).keys()


def invite(store: AppStore, people: Sequence[Person], roles: Sequence[str], app_id: str) -> dict[str, str]:
    """Invite people as users with access to one app, unless they have an invitation that has not expired. Returns when each
    invitation expires, by address."""
    invited = by_email(store, UserInvitation, [person.email for person in people])
    for person in people:
        invitation = invited.get(key(person.email))
        if invitation and _has_expired(invitation):
            store.delete(UserInvitation.ref(invitation.id), doing=f"delete the expired invitation of {person.email}")
            invitation = None
        invited[key(person.email)] = invitation or _invite(store, person, roles, app_id)
    return {email: str(invitation.expiration_date or "") for email, invitation in invited.items()}


def _invite(store: AppStore, person: Person, roles: Sequence[str], app_id: str) -> UserInvitation:
    return store.create(
        UserInvitation,
        {
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "roles": list(roles),
            "all_apps_visible": False,
            "visible_apps": [App.ref(app_id)],
        },
        doing=f"invite {person.email} as a user of the team",
        find=lambda: by_email(store, UserInvitation, [person.email]).get(key(person.email)),
    )


def _has_expired(invitation: UserInvitation) -> bool:
    expires = invitation.expiration_date
    return expires is not None and expires.moment.timestamp() <= waiting.clock.wall()
