"""Builds: created by processing an upload, not by a call. The state of a build follows from the time and from its changes.

upload COMPLETE … build record appears (PROCESSING) … VALID … internal state leaves PROCESSING …
  MISSING_EXPORT_COMPLIANCE until the flag is set, READY_FOR_BETA_TESTING, IN_BETA_TESTING, EXPIRED after 90 days

A build in a group without an active tester stays READY_FOR_BETA_TESTING. A tester is active who has accepted the invitation of
TestFlight. The setting `invited_are_active` counts invited ones too: public records disagree.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation, date, elsewhere
from rehearsal.cloud.appstore.locales import LOCALES
from rehearsal.cloud.store import Document

BUILD_LIFE_SECONDS = 90 * 86400
MAX_WHATS_NEW = 4000
TESTABLE = ("READY_FOR_BETA_TESTING", "IN_BETA_TESTING")


class Builds(Kind):
    type = "builds"
    operations = ("GET_COLLECTION", "GET_INSTANCE", "UPDATE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "version": None,
        "uploadedDate": None,
        "expirationDate": None,
        "expired": False,
        "minOsVersion": None,
        "lsMinimumSystemVersion": None,
        "computedMinMacOsVersion": None,
        "computedMinVisionOsVersion": None,
        "iconAssetToken": None,
        "processingState": "PROCESSING",
        "buildAudienceType": "APP_STORE_ELIGIBLE",
        "usesNonExemptEncryption": None,
    }
    nulls = ("iconAssetToken", "usesNonExemptEncryption")
    updatable: ClassVar[Mapping[str, Accepts]] = {"expired": bool, "usesNonExemptEncryption": bool}
    relations: ClassVar[Mapping[str, Relation]] = {
        "preReleaseVersion": Relation(target="preReleaseVersions"),
        "betaGroups": Relation(target="betaGroups", many=True, linkage=("POST", "DELETE"), related=False),
        "betaBuildLocalizations": Relation(target="betaBuildLocalizations", many=True, inverse="build"),
        "app": Relation(target="apps"),
        "buildBetaDetail": Relation(target="buildBetaDetails", inverse="build", queryable=True),
        "buildUpload": Relation(target="buildUploads", data_only=True),
        **elsewhere(
            "appEncryptionDeclaration", "appStoreVersion", "betaAppReviewSubmission", "icons", "individualTesters"
        ),
    }
    filters = (
        "version",
        "expired",
        "processingState",
        "usesNonExemptEncryption",
        "preReleaseVersion.version",
        "preReleaseVersion.platform",
        "preReleaseVersion",
        "buildAudienceType",
        "app",
        "betaGroups",
        "id",
    )
    sorts = ("version", "uploadedDate", "preReleaseVersion")
    includes = ("preReleaseVersion", "betaGroups", "betaBuildLocalizations", "app", "buildBetaDetail", "buildUpload")

    def visible(self, record: Document) -> bool:
        return bool(self.context.clock.now() >= record["visible_at"])

    def shown(self, record: Document) -> Document:
        uploaded = record["uploaded_at"]
        expired = record["attributes"].get("expired") or self.context.clock.now() >= uploaded + BUILD_LIFE_SECONDS
        valid = self.context.clock.now() >= record["valid_at"]
        return {
            **super().shown(record),
            "uploadedDate": date(uploaded),
            "expirationDate": date(uploaded + BUILD_LIFE_SECONDS),
            "expired": expired,
            "processingState": record["outcome"] if valid else "PROCESSING",
        }

    def update(self, record: Document, attributes: Document) -> None:
        shown = self.shown(record)
        if "usesNonExemptEncryption" in attributes and not _needs_export_compliance(record):
            raise refusals.attribute_invalid(
                "usesNonExemptEncryption", "You cannot update when the value is already set."
            )
        if shown["expired"] and attributes.get("expired") is False:
            raise refusals.attribute_invalid("expired", "An expired build cannot be made available again.")
        hold(self.records, record)
        super().update(record, attributes)

    def related(self, record: Document, relation: str) -> list[Document]:
        if relation != "betaGroups":
            return super().related(record, relation)
        groups = self.records.all("betaGroups", app=record["links"]["app"])
        of_group = self.records.kinds["betaGroups"].related
        return [group for group in groups if record["id"] in [build["id"] for build in of_group(group, "builds")]]

    def link(self, record: Document, relation: str, targets: list[Document]) -> None:
        for group in targets:
            self.records.kinds["betaGroups"].link(group, "builds", [record])

    def unlink(self, record: Document, relation: str, ids: set[str]) -> None:
        for group in self.records.all("betaGroups"):
            if group["id"] in ids:
                self.records.kinds["betaGroups"].unlink(group, "builds", {record["id"]})


def reached_at(records: Records, group: Document, build: Document) -> float | None:
    """Since when the group has the build: it was added, or the group has access to all builds and is older than the build. None
    if it does not have it."""
    if group["attributes"].get("hasAccessToAllBuilds"):
        mine = group["links"]["app"] == build["links"]["app"] and build["uploaded_at"] >= group["made"]
        return float(build["beta_at"]) if mine and records.shown(build)["processingState"] == "VALID" else None
    return float(group["joined"][build["id"]]) if build["id"] in group["links"].get("builds", []) else None


def internal_state(records: Records, build: Document) -> str:
    """The current `internalBuildState`."""
    now = records.context.clock.now()
    shown = records.shown(build)
    if shown["expired"]:
        return "EXPIRED"
    if now < build["beta_at"]:
        return "PROCESSING"
    if build["outcome"] != "VALID":
        return "PROCESSING_EXCEPTION"
    if now < build.get("held", {}).get("until", 0):
        return str(build["held"]["state"])
    if _needs_export_compliance(build):
        return "MISSING_EXPORT_COMPLIANCE"
    return "IN_BETA_TESTING" if now >= _in_testing_at(records, build) else "READY_FOR_BETA_TESTING"


def _needs_export_compliance(build: Document) -> bool:
    """Whether Apple waits for the answer about export compliance: there is none, or it is yes without a declaration."""
    uses = build["attributes"].get("usesNonExemptEncryption")
    return uses is None or (uses and not build.get("declared"))


def _in_testing_at(records: Records, build: Document) -> float:
    """When the build becomes IN_BETA_TESTING; infinite as long as nobody who has it is active."""
    invited_count = (records.context.store.get("appstore.settings", "limits") or {}).get("invited_are_active", False)
    active = [
        max(has_it_since, tester.get("accepted_at", has_it_since))
        for group in records.all("betaGroups", app=build["links"]["app"])
        if (has_it_since := reached_at(records, group, build)) is not None
        for tester in records.linked(group, "betaTesters")
        if invited_count or "accepted_at" in tester
    ]
    return min(active, default=float("inf")) + records.context.delays.testing_shown


def hold(records: Records, build: Document) -> None:
    """Keep showing the current state for a while: Apple applies changes with a delay."""
    until = records.context.clock.now() + records.context.delays.beta_detail
    build["held"] = {"state": internal_state(records, build), "until": until}
    records.save(build)


class PreReleaseVersions(Kind):
    type = "preReleaseVersions"
    operations = ("GET_COLLECTION", "GET_INSTANCE")
    attributes: ClassVar[Mapping[str, Any]] = {"version": None, "platform": "IOS"}
    relations: ClassVar[Mapping[str, Relation]] = {
        "builds": Relation(target="builds", many=True, inverse="preReleaseVersion"),
        "app": Relation(target="apps"),
    }
    filters = ("builds.expired", "builds.processingState", "builds.version", "platform", "version", "app", "builds")
    sorts = ("version",)
    includes = ("builds", "app")

    def visible(self, record: Document) -> bool:
        return bool(self.records.all("builds", preReleaseVersion=record["id"]))


class BuildBetaDetails(Kind):
    type = "buildBetaDetails"
    operations = ("GET_COLLECTION", "GET_INSTANCE", "UPDATE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "autoNotifyEnabled": False,
        "internalBuildState": "PROCESSING",
        "externalBuildState": "PROCESSING",
    }
    updatable: ClassVar[Mapping[str, Accepts]] = {"autoNotifyEnabled": bool}
    relations: ClassVar[Mapping[str, Relation]] = {"build": Relation(target="builds", queryable=True)}
    filters = ("build", "id")
    includes = ("build",)

    def visible(self, record: Document) -> bool:
        return bool(self.related(record, "build"))

    def shown(self, record: Document) -> Document:
        state = internal_state(self.records, self.related(record, "build")[0])
        external = "READY_FOR_BETA_SUBMISSION" if state in TESTABLE else state
        return {**super().shown(record), "internalBuildState": state, "externalBuildState": external}


class BetaBuildLocalizations(Kind):
    """The "What to Test" texts. The entry of the primary locale exists from the start, without a text."""

    type = "betaBuildLocalizations"
    attributes: ClassVar[Mapping[str, Any]] = {"whatsNew": None, "locale": None}
    required: ClassVar[Mapping[str, Accepts]] = {"locale": LOCALES}
    optional: ClassVar[Mapping[str, Accepts]] = {"whatsNew": str}
    updatable: ClassVar[Mapping[str, Accepts]] = {"whatsNew": str}
    relations: ClassVar[Mapping[str, Relation]] = {"build": Relation(target="builds", create=True, required=True)}
    filters = ("locale", "build")
    includes = ("build",)

    def visible(self, record: Document) -> bool:
        return bool(self.related(record, "build"))

    def create(self, attributes: Document, links: Document) -> Document:
        _check_text(attributes)
        if any(
            record["attributes"]["locale"] == attributes["locale"]
            for record in self.records.all(self.type, build=links["build"])
        ):
            raise refusals.locale_taken()
        return super().create(attributes, links)

    def update(self, record: Document, attributes: Document) -> None:
        _check_text(attributes)
        super().update(record, attributes)


def _check_text(attributes: Document) -> None:
    text = attributes.get("whatsNew") or ""
    if len(text) > MAX_WHATS_NEW:
        raise refusals.attribute_invalid("whatsNew", f"The text is longer than {MAX_WHATS_NEW} characters.")
    if wrong := {sign for sign in text if sign == "<" or is_emoji(sign)}:
        raise refusals.invalid_characters("whatsNew", "".join(sorted(wrong)))


def is_emoji(sign: str) -> bool:
    """Whether a character is one of those that Apple refuses: pictures, also those of the basic plane."""
    return sign > "\uffff" or (unicodedata.category(sign) == "So" and "\u2300" <= sign <= "\u2bff") or sign == "\ufe0f"


class BuildBetaNotifications(Kind):
    type = "buildBetaNotifications"
    operations = ("CREATE",)
    relations: ClassVar[Mapping[str, Relation]] = {
        "build": Relation(target="builds", create=True, required=True, linkage=(), related=False)
    }

    def create(self, attributes: Document, links: Document) -> Document:
        build = self.records.get("builds", links["build"])
        assert build
        if internal_state(self.records, build) not in TESTABLE:
            raise refusals.state("The build is not available to testers.")
        return super().create(attributes, links)


def make_build(records: Records, upload: Document, facts: Document, outcome: str) -> Document:
    """Store the build of an upload that was just committed. `facts` are attributes read from the IPA."""
    now, delays = records.context.clock.now(), records.context.delays
    visible = now + delays.upload_processing + delays.build_visible
    app = upload["links"]["app"]
    pre_release = _pre_release_version(records, app, upload["attributes"])
    build = records.new(
        "builds",
        {"version": upload["attributes"]["cfBundleVersion"], **facts},
        {"app": app, "preReleaseVersion": pre_release["id"], "buildUpload": upload["id"]},
        uploaded_at=now,
        visible_at=visible,
        valid_at=visible + delays.build_processing,
        beta_at=visible + delays.build_processing + delays.beta_detail,
        outcome=outcome,
    )
    records.new("buildBetaDetails", {}, {"build": build["id"]}, id=build["id"])
    primary = (records.get("apps", app) or {"attributes": {}})["attributes"].get("primaryLocale", "en-US")
    records.new("betaBuildLocalizations", {"locale": primary}, {"build": build["id"]})
    return build


def _pre_release_version(records: Records, app: str, attributes: Document) -> Document:
    """The pre-release version. 1.0 and 1.0.0 are the same version, spelled as in its first upload."""
    for known in records.context.store.all("appstore.preReleaseVersions"):
        same = ordering(known["attributes"]["version"]) == ordering(attributes["cfBundleShortVersionString"])
        if same and known["links"]["app"] == app and known["attributes"]["platform"] == attributes["platform"]:
            return known
    version = {"version": attributes["cfBundleShortVersionString"], "platform": attributes["platform"]}
    return records.new("preReleaseVersions", version, {"app": app})


def is_version(text: str, parts: int = 3) -> bool:
    return re.fullmatch(rf"[0-9]+(\.[0-9]+){{0,{parts - 1}}}", text) is not None


def ordering(number: str) -> tuple[int, ...]:
    """The sort key with which Apple compares version and build numbers."""
    parts = [int(part) for part in number.split(".")]
    return tuple(parts + [0] * (4 - len(parts)))
