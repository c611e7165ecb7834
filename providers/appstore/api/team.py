"""Users of the team, whom an internal group takes, and the invitations by which people become users. All are found by address."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from providers import waiting
from providers.appstore.api.client import AppStore, Entity

TESTING_ROLES = ("ACCOUNT_HOLDER", "ADMIN", "APP_MANAGER", "DEVELOPER", "MARKETING")
"""Users with one of these roles can test internally."""
FILTERED_EMAILS = 100
"""Addresses in one filter: the whole of an internal group, in a request line of some 4000 characters."""


class Person(Protocol):
    """Whoever has an address and perhaps a name."""

    @property
    def email(self) -> str: ...
    @property
    def first_name(self) -> str | None: ...
    @property
    def last_name(self) -> str | None: ...


def key(email: str) -> str:
    """An address as Apple compares it."""
    return email.strip().lower()


def by_email(store: AppStore, path: str, attribute: str, emails: Sequence[str]) -> dict[str, Entity]:
    """Those of the list at `path` whose `attribute` is one of `emails`, by address; a call for each hundred."""
    found: dict[str, Entity] = {}
    for start in range(0, len(emails), FILTERED_EMAILS):
        batch = emails[start : start + FILTERED_EMAILS]
        listed = store.list_all(path, doing=f"look up {len(batch)} people", **{f"filter[{attribute}]": batch})
        found |= {key(str(each[attribute])): each for each in listed}
    wanted = {key(email) for email in emails}
    return {email: entity for email, entity in found.items() if email in wanted}


def users(store: AppStore, emails: Sequence[str]) -> Collection[str]:
    """The addresses of those who are users of the team."""
    return by_email(store, "/v1/users", "username", emails).keys()


def invite(store: AppStore, people: Sequence[Person], roles: Sequence[str], app_id: str) -> dict[str, str]:
    """Invite everybody who is not invited yet, or whose invitation has expired, as a user with access to one app; when each
    invitation expires, by address."""
    invited = by_email(store, "/v1/userInvitations", "email", [person.email for person in people])
    for person in people:
        invitation = invited.get(key(person.email))
        if invitation and _has_expired(invitation):
            store.delete(
                f"/v1/userInvitations/{invitation.id}", doing=f"delete the expired invitation of {person.email}"
            )
            invitation = None
        invited[key(person.email)] = invitation or _invite(store, person, roles, app_id)
    return {email: str(invitation["expirationDate"]) for email, invitation in invited.items()}


def _invite(store: AppStore, person: Person, roles: Sequence[str], app_id: str) -> Entity:
    return store.create(
        "userInvitations",
        {
            "email": person.email,
            "firstName": person.first_name,
            "lastName": person.last_name,
            "roles": list(roles),
            "allAppsVisible": False,
        },
        {"visibleApps": ("apps", [app_id])},
        doing=f"invite {person.email} as a user of the team",
        find=lambda: by_email(store, "/v1/userInvitations", "email", [person.email]).get(key(person.email)),
    )


def _has_expired(invitation: Entity) -> bool:
    expires = invitation["expirationDate"]
    return bool(expires) and datetime.fromisoformat(expires).timestamp() <= waiting.clock.wall()
