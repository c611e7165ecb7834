"""Tester groups, their testers and their builds."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.builds import TESTABLE, hold, internal_state, reached_at
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Relation, date
from rehearsal.cloud.appstore.people import can_test
from rehearsal.cloud.store import Document

INTERNAL_TESTERS = 100
PUBLIC_LINK = ("publicLinkEnabled", "publicLinkLimitEnabled", "publicLinkLimit")


class BetaGroups(Kind):
    type = "betaGroups"
    attributes: ClassVar[Mapping[str, Any]] = {
        "name": None,
        "createdDate": None,
        "isInternalGroup": False,
        "hasAccessToAllBuilds": False,
        "publicLinkEnabled": False,
        "publicLinkId": None,
        "publicLinkLimitEnabled": False,
        "publicLinkLimit": None,
        "publicLink": None,
        "feedbackEnabled": True,
        "iosBuildsAvailableForAppleSiliconMac": False,
        "iosBuildsAvailableForAppleVision": False,
    }
    nulls = ("publicLink", "publicLinkId", "publicLinkLimit")
    required: ClassVar[Mapping[str, Accepts]] = {"name": str}
    optional: ClassVar[Mapping[str, Accepts]] = {
        "isInternalGroup": bool,
        "hasAccessToAllBuilds": bool,
        "publicLinkEnabled": bool,
        "publicLinkLimitEnabled": bool,
        "publicLinkLimit": int,
        "feedbackEnabled": bool,
    }
    updatable: ClassVar[Mapping[str, Accepts]] = {
        "name": str,
        "publicLinkEnabled": bool,
        "publicLinkLimitEnabled": bool,
        "publicLinkLimit": int,
        "feedbackEnabled": bool,
        "iosBuildsAvailableForAppleSiliconMac": bool,
        "iosBuildsAvailableForAppleVision": bool,
    }
    relations: ClassVar[Mapping[str, Relation]] = {
        "app": Relation(target="apps", create=True, required=True),
        "builds": Relation(target="builds", many=True, create=True, linkage=("GET", "POST", "DELETE")),
        "betaTesters": Relation(target="betaTesters", many=True, create=True, linkage=("GET", "POST", "DELETE")),
    }
    filters = ("name", "isInternalGroup", "publicLinkEnabled", "publicLink", "app", "builds", "id")
    loose = ("name",)
    sorts = ("name", "createdDate", "publicLinkEnabled", "publicLinkLimit")
    includes = ("app", "builds", "betaTesters")

    def shown(self, record: Document) -> Document:
        return {**super().shown(record), "createdDate": date(record["made"])}

    def create(self, attributes: Document, links: Document) -> Document:
        app = self.records.get("apps", links["app"])
        assert app
        if self.context.clock.now() < app["made"] + self.context.delays.group_too_early:
            raise refusals.relationship_invalid("app")
        given = {name: value for name, value in attributes.items() if value is not None}
        if given.get("hasAccessToAllBuilds") and not given.get("isInternalGroup"):
            raise refusals.attribute_invalid(
                "hasAccessToAllBuilds", "Only internal groups can have access to all builds."
            )
        _refuse_public_link(given, internal=bool(given.get("isInternalGroup")))
        group = super().create(given, {"app": links["app"]})
        for relation in ("builds", "betaTesters"):
            targets = (self.records.get(relation, id) for id in links.get(relation, []))
            self.link(group, relation, [target for target in targets if target])
        return group

    def update(self, record: Document, attributes: Document) -> None:
        _refuse_public_link(attributes, internal=bool(record["attributes"].get("isInternalGroup")))
        super().update(record, attributes)

    def related(self, record: Document, relation: str) -> list[Document]:
        shown_until = self.context.clock.now() - self.context.delays.membership_shown
        if relation == "builds":
            builds = self.records.all("builds", app=record["links"]["app"])
            since = ((build, reached_at(self.records, record, build)) for build in builds)
            return [build for build, at in since if at is not None and at <= shown_until]
        found = super().related(record, relation)
        if relation == "betaTesters":
            return [tester for tester in found if record["joined"][tester["id"]] <= shown_until]
        return found

    def link(self, record: Document, relation: str, targets: list[Document]) -> None:
        if relation == "builds":
            for build in targets:
                self._refuse_build(record, build)
                hold(self.records, build)
        else:
            self._refuse_testers(record, targets)
        now = self.context.clock.now()
        record["joined"] = {target["id"]: now for target in targets} | record.get("joined", {})
        super().link(record, relation, targets)

    def unlink(self, record: Document, relation: str, ids: set[str]) -> None:
        if relation == "builds":
            for build in self.records.linked(record, "builds"):
                if build["id"] in ids:
                    hold(self.records, build)
        record["joined"] = {id: at for id, at in record.get("joined", {}).items() if id not in ids}
        super().unlink(record, relation, ids)

    def _refuse_build(self, group: Document, build: Document) -> None:
        if group["attributes"].get("hasAccessToAllBuilds"):
            raise refusals.unprocessable(
                "Builds cannot be assigned to this internal group.", "Cannot add internal group to a build."
            )
        if build["links"]["app"] != group["links"]["app"]:
            raise refusals.relationship_invalid("builds", "builds", build["id"])
        if internal_state(self.records, build) not in TESTABLE:
            internal = group["attributes"].get("isInternalGroup")
            raise refusals.unprocessable(
                "Build is not assignable.",  # reported by users; the wording for internal groups is assumed
                f"Build is not in an {'internally' if internal else 'externally'} assignable state.",
            )

    def _refuse_testers(self, group: Document, testers: list[Document]) -> None:
        held = group["links"].get("betaTesters", [])
        if any(tester["id"] in held for tester in testers):
            # the exact body is not known
            raise refusals.entity("The tester is already in the group.")
        if not group["attributes"].get("isInternalGroup"):
            return
        if not all(can_test(self.records, tester["attributes"]["email"], group["links"]["app"]) for tester in testers):
            raise refusals.state()
        if len(held) + len(testers) > INTERNAL_TESTERS:
            raise refusals.state(f"An internal group can have {INTERNAL_TESTERS} testers.")


def _refuse_public_link(attributes: Document, *, internal: bool) -> None:
    for name in PUBLIC_LINK:
        if internal and attributes.get(name):
            raise refusals.attribute_invalid(name, "An internal group cannot have a public link.")
    if attributes.get("publicLinkLimit") == 0:
        raise refusals.attribute_invalid(
            "publicLinkLimit", "'0' is not a valid value for the attribute 'publicLinkLimit'"
        )
