"""Test information of an app that TestFlight shows to testers, one entry for each language."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Relation
from rehearsal.cloud.appstore.locales import LOCALES
from rehearsal.cloud.store import Document

TEXTS: Mapping[str, Accepts] = {
    "feedbackEmail": str,
    "marketingUrl": str,
    "privacyPolicyUrl": str,
    "tvOsPrivacyPolicy": str,
    "description": str,
}


class BetaAppLocalizations(Kind):
    type = "betaAppLocalizations"
    attributes: ClassVar[Mapping[str, Any]] = {"locale": None, **dict.fromkeys(TEXTS)}
    required: ClassVar[Mapping[str, Accepts]] = {"locale": LOCALES}
    optional: ClassVar[Mapping[str, Accepts]] = TEXTS
    updatable: ClassVar[Mapping[str, Accepts]] = TEXTS
    relations: ClassVar[Mapping[str, Relation]] = {"app": Relation(target="apps", create=True, required=True)}
    filters = ("locale", "app")
    includes = ("app",)

    def create(self, attributes: Document, links: Document) -> Document:
        existing = self.records.all(self.type, app=links["app"])
        if any(localization["attributes"]["locale"] == attributes["locale"] for localization in existing):
            raise refusals.locale_taken()
        return super().create(attributes, links)
