"""Beta testers, unique by email address, and their invitations."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.builds import TESTABLE, internal_state
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation
from rehearsal.cloud.service import Refusal
from rehearsal.cloud.store import Document


class BetaTesters(Kind):
    type = "betaTesters"
    operations = ("CREATE", "DELETE", "GET_COLLECTION", "GET_INSTANCE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "firstName": None,
        "lastName": None,
        "email": None,
        "inviteType": "EMAIL",
        "state": "NOT_INVITED",
        "appDevices": None,
    }
    required: ClassVar[Mapping[str, Accepts]] = {"email": str}
    optional: ClassVar[Mapping[str, Accepts]] = {"firstName": str, "lastName": str}
    relations: ClassVar[Mapping[str, Relation]] = {
        "apps": Relation(target="apps", many=True),
        "betaGroups": Relation(
            target="betaGroups", many=True, inverse="betaTesters", create=True, linkage=("GET", "POST", "DELETE")
        ),
        "builds": Relation(target="builds", many=True),
    }
    filters = ("firstName", "lastName", "email", "inviteType", "apps", "betaGroups", "builds", "id")
    sorts = ("firstName", "lastName", "email", "inviteType", "state")
    includes = ("apps", "betaGroups", "builds")

    def create(self, attributes: Document, links: Document) -> Document:
        """Testers are unique by email address: an existing tester joins the groups and keeps the name."""
        tester = find_tester(self.records, attributes["email"]) or super().create(attributes, {})
        groups = (self.records.get("betaGroups", id) for id in links.get("betaGroups", []))
        self.link(tester, "betaGroups", [group for group in groups if group])
        return tester

    def delete(self, record: Document) -> None:
        for group in self.records.linked(record, "betaGroups"):
            self.records.kinds["betaGroups"].unlink(group, "betaTesters", {record["id"]})
        super().delete(record)

    def link(self, record: Document, relation: str, targets: list[Document]) -> None:
        for group in targets:
            self.records.kinds["betaGroups"].link(group, "betaTesters", [record])

    def unlink(self, record: Document, relation: str, ids: set[str]) -> None:
        for group in self.records.linked(record, "betaGroups"):
            if group["id"] in ids:
                self.records.kinds["betaGroups"].unlink(group, "betaTesters", {record["id"]})

    def related(self, record: Document, relation: str) -> list[Document]:
        groups = [
            group
            for group in self.records.linked(record, "betaGroups")
            if any(
                tester["id"] == record["id"]
                for tester in self.records.kinds["betaGroups"].related(group, "betaTesters")
            )
        ]
        if relation == "betaGroups":
            return groups
        inner = "app" if relation == "apps" else "builds"
        found = [target for group in groups for target in self.records.kinds["betaGroups"].related(group, inner)]
        return list({target["id"]: target for target in found}.values())

    def shown(self, record: Document) -> Document:
        devices = record.get("devices") or []
        return {**super().shown(record), "state": self._state(record), "appDevices": devices or None}

    def _state(self, record: Document) -> str:
        if record.get("devices"):
            return "INSTALLED"
        if "accepted_at" in record:
            return "ACCEPTED"
        if record.get("invited") or any(
            internal_state(self.records, build) in TESTABLE for build in self.related(record, "builds")
        ):
            return "INVITED"
        return "NOT_INVITED"


class BetaTesterInvitations(Kind):
    type = "betaTesterInvitations"
    operations = ("CREATE",)
    relations: ClassVar[Mapping[str, Relation]] = {
        "app": Relation(target="apps", create=True, required=True, linkage=(), related=False),
        "betaTester": Relation(target="betaTesters", create=True, linkage=(), related=False),
    }

    def create(self, attributes: Document, links: Document) -> Document:
        tester = self.records.get("betaTesters", links.get("betaTester", ""))
        if tester is None:
            raise refusals.relationship_required("betaTester")
        self.records.save({**tester, "invited": True})
        return super().create(attributes, links)


def find_tester(records: Records, email: str) -> Document | None:
    found = (tester for tester in records.all("betaTesters") if tester["attributes"]["email"].lower() == email.lower())
    return next(found, None)


def accept(records: Records, email: str) -> Document:
    """A tester accepts the invitation of TestFlight, and so becomes active. Raises Refusal with `{"error"}` if there is none."""
    tester = find_tester(records, email)
    if tester is None or records.shown(tester)["state"] == "NOT_INVITED":
        raise Refusal({"error": f"{email} is not invited to test"}, 404)
    return records.save({"accepted_at": records.context.clock.now(), **tester})


def install(records: Records, email: str, version: str, build_number: str, device: Document) -> Document:
    """A tester installs a build from TestFlight. Raises Refusal with `{"error"}` if TestFlight does not offer it."""
    tester = find_tester(records, email)
    if tester is None:
        raise Refusal({"error": f"no tester {email}"}, 404)
    offered = [
        build
        for build in records.kinds["betaTesters"].related(tester, "builds")
        if build["attributes"]["version"] == build_number
        and any(train["attributes"]["version"] == version for train in records.linked(build, "preReleaseVersion"))
        and internal_state(records, build) in TESTABLE
    ]
    if not offered:
        raise Refusal({"error": f"TestFlight does not offer {version} ({build_number}) to {email}"}, 409)
    installed = {
        "model": "iPhone17,1",
        "platform": "IOS",
        "osVersion": "26.1",
        **device,
        "appBuildVersion": f"{version} ({build_number})",
    }
    usage = {"build": offered[0]["id"], "at": records.context.clock.now()}
    return records.save(
        {
            "accepted_at": records.context.clock.now(),
            **tester,
            "devices": [*(tester.get("devices") or []), installed],
            "installs": [*(tester.get("installs") or []), usage],
        }
    )


def use(records: Records, email: str, sessions: int, crashes: int) -> Document:
    """A tester uses the build that was installed last."""
    tester = find_tester(records, email)
    if tester is None or not tester.get("installs"):
        raise Refusal({"error": f"{email} has not installed a build"}, 404)
    last = tester["installs"][-1]
    last["sessions"] = last.get("sessions", 0) + sessions
    last["crashes"] = last.get("crashes", 0) + crashes
    last["used_at"] = records.context.clock.now()
    return records.save(tester)
