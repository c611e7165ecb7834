"""Users of the team and their invitations. A person accepts an invitation through the control address."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation, date
from rehearsal.cloud.store import Document

ROLES = (
    "ADMIN",
    "FINANCE",
    "ACCOUNT_HOLDER",
    "SALES",
    "MARKETING",
    "APP_MANAGER",
    "DEVELOPER",
    "ACCESS_TO_REPORTS",
    "CUSTOMER_SUPPORT",
    "CREATE_APPS",
    "CLOUD_MANAGED_DEVELOPER_ID",
    "CLOUD_MANAGED_APP_DISTRIBUTION",
    "GENERATE_INDIVIDUAL_KEYS",
)
TESTING_ROLES = {"ACCOUNT_HOLDER", "ADMIN", "APP_MANAGER", "DEVELOPER", "MARKETING"}
VISIBLE_APPS = Relation(target="apps", many=True, create=True)
INVITATION_SECONDS = 3 * 86400


class Users(Kind):
    type = "users"
    operations = ("DELETE", "GET_COLLECTION", "GET_INSTANCE", "UPDATE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "username": None,
        "firstName": None,
        "lastName": None,
        "roles": [],
        "allAppsVisible": True,
        "provisioningAllowed": False,
    }
    updatable: ClassVar[Mapping[str, Accepts]] = {"roles": list, "allAppsVisible": bool, "provisioningAllowed": bool}
    relations: ClassVar[Mapping[str, Relation]] = {"visibleApps": VISIBLE_APPS}
    filters = ("username", "roles", "visibleApps")
    sorts = ("username", "lastName")
    includes = ("visibleApps",)

    def delete(self, record: Document) -> None:
        """Somebody who leaves the team leaves its internal groups."""
        email = record["attributes"]["username"].lower()
        testers = {
            tester["id"]
            for tester in self.records.all("betaTesters")
            if (tester["attributes"]["email"] or "").lower() == email
        }
        for group in self.records.all("betaGroups"):
            if group["attributes"].get("isInternalGroup") and testers:
                self.records.kinds["betaGroups"].unlink(group, "betaTesters", testers)
        super().delete(record)


class UserInvitations(Kind):
    type = "userInvitations"
    operations = ("CREATE", "DELETE", "GET_COLLECTION", "GET_INSTANCE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "email": None,
        "firstName": None,
        "lastName": None,
        "expirationDate": None,
        "roles": [],
        "allAppsVisible": False,
        "provisioningAllowed": False,
    }
    required: ClassVar[Mapping[str, Accepts]] = {"email": str, "firstName": str, "lastName": str, "roles": list}
    optional: ClassVar[Mapping[str, Accepts]] = {"allAppsVisible": bool, "provisioningAllowed": bool}
    relations: ClassVar[Mapping[str, Relation]] = {"visibleApps": VISIBLE_APPS}
    filters = ("email", "roles", "visibleApps")
    sorts = ("email", "lastName")
    includes = ("visibleApps",)

    def create(self, attributes: Document, links: Document) -> Document:
        for role in attributes["roles"]:
            if role not in ROLES:
                raise refusals.attribute_invalid("roles", f"'{role}' is not a valid value for the attribute 'roles'")
        email = attributes["email"].lower()
        if user(self.records, email) or any(
            person["attributes"]["email"].lower() == email for person in self.records.all(self.type)
        ):
            raise refusals.attribute_invalid("email", "The email address is already in use.")
        expires = date(self.context.clock.now() + INVITATION_SECONDS)
        return super().create({**attributes, "expirationDate": expires}, links)


def user(records: Records, email: str) -> Document | None:
    """The user with this email address, ignoring case."""
    found = (user for user in records.all("users") if user["attributes"]["username"].lower() == email.lower())
    return next(found, None)


def can_test(records: Records, email: str, app: str) -> bool:
    """Whether a person can be an internal tester: a user with a suitable role and access to the app."""
    person = user(records, email)
    if person is None or not TESTING_ROLES & set(person["attributes"]["roles"]):
        return False
    return records.shown(person)["allAppsVisible"] or app in person["links"].get("visibleApps", [])


def make_user(records: Records, person: Document) -> Document:
    """Add a user, or accept the invitation of this email address and delete it."""
    links: Document = {}
    for invitation in records.all("userInvitations"):
        if invitation["attributes"]["email"].lower() == person["email"].lower():
            records.delete(invitation)
            person = {**invitation["attributes"], **person}
            links = invitation["links"]
    attributes = {
        "username": person["email"],
        "firstName": person.get("firstName"),
        "lastName": person.get("lastName"),
        "roles": person.get("roles") or ["DEVELOPER"],
        "allAppsVisible": person.get("allAppsVisible", True),
    }
    return user(records, person["email"]) or records.new("users", attributes, links)
