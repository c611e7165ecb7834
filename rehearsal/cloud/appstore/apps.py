"""Apps: created by people on the website (here through the control address); the API can only read and update them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation, elsewhere
from rehearsal.cloud.service import Refusal
from rehearsal.cloud.store import Document

PLATFORMS = ("IOS", "MAC_OS", "TV_OS", "VISION_OS")
VERSIONS = ("V1", "V2")


class Apps(Kind):
    type = "apps"
    operations = ("GET_COLLECTION", "GET_INSTANCE", "UPDATE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "name": None,
        "bundleId": None,
        "sku": None,
        "primaryLocale": None,
        "isOrEverWasMadeForKids": False,
        "accessibilityUrl": None,
        "subscriptionStatusUrl": None,
        "subscriptionStatusUrlVersion": None,
        "subscriptionStatusUrlForSandbox": None,
        "subscriptionStatusUrlVersionForSandbox": None,
        "contentRightsDeclaration": None,
        "streamlinedPurchasingEnabled": True,
    }
    nulls = ("contentRightsDeclaration",)
    updatable: ClassVar[Mapping[str, Accepts]] = {
        "accessibilityUrl": str,
        "bundleId": str,
        "primaryLocale": str,
        "subscriptionStatusUrl": str,
        "subscriptionStatusUrlVersion": VERSIONS,
        "subscriptionStatusUrlForSandbox": str,
        "subscriptionStatusUrlVersionForSandbox": VERSIONS,
        "contentRightsDeclaration": ("DOES_NOT_USE_THIRD_PARTY_CONTENT", "USES_THIRD_PARTY_CONTENT"),
        "streamlinedPurchasingEnabled": bool,
    }
    relations: ClassVar[Mapping[str, Relation]] = {
        "betaAppLocalizations": Relation(target="betaAppLocalizations", many=True, inverse="app"),
        "betaGroups": Relation(target="betaGroups", many=True, inverse="app"),
        "builds": Relation(target="builds", many=True, inverse="app"),
        "preReleaseVersions": Relation(target="preReleaseVersions", many=True, inverse="app"),
        "buildUploads": Relation(target="buildUploads", many=True, inverse="app", queryable=True),
        "betaFeedbackCrashSubmissions": Relation(
            target="betaFeedbackCrashSubmissions", many=True, inverse="app", queryable=True
        ),
        "betaFeedbackScreenshotSubmissions": Relation(
            target="betaFeedbackScreenshotSubmissions", many=True, inverse="app", queryable=True
        ),
        **elsewhere(
            "appInfos",
            "appStoreVersions",
            "betaAppReviewDetail",
            "betaLicenseAgreement",
            "endUserLicenseAgreement",
            "gameCenterEnabledVersions",
        ),
    }
    filters = ("name", "bundleId", "sku", "id")
    loose = ("name", "bundleId")
    sorts = ("name", "bundleId", "sku")
    includes = ("betaAppLocalizations", "betaGroups", "builds", "preReleaseVersions")

    def new_id(self) -> str:
        return str(6_740_000_000 + self.context.store.count("appstore.apps"))

    def visible(self, record: Document) -> bool:
        return bool(self.context.clock.now() >= record["made"] + self.context.delays.app_record_visible)

    def update(self, record: Document, attributes: Document) -> None:
        if attributes.get("bundleId", record["attributes"]["bundleId"]) != record["attributes"]["bundleId"] and (
            self.records.all("builds", app=record["id"])
        ):
            raise refusals.attribute_invalid(
                "bundleId", "The bundle ID cannot be changed once a build has been uploaded for the app."
            )
        super().update(record, attributes)


def make_app(records: Records, form: Document) -> Document:
    """Create an app from the form on Apple's website. Raises Refusal with `{"error"}` for an invalid form."""
    missing = [name for name in ("bundleId", "name", "primaryLocale", "sku") if not form.get(name)]
    if missing:
        raise Refusal({"error": f"the form needs {', '.join(missing)}"}, 400)
    bundle_ids = [record["attributes"]["identifier"] for record in records.all("bundleIds")]
    if form["bundleId"] not in bundle_ids:
        raise Refusal(
            {
                "error": f"choose a bundle ID of the team: {', '.join(bundle_ids) or 'there is none, register one first'}"
            },
            409,
        )
    for app in records.context.store.all("appstore.apps"):
        if app["attributes"]["bundleId"] == form["bundleId"]:
            raise Refusal({"error": f"app {app['id']} already has bundle ID {form['bundleId']}"}, 409)
        if app["attributes"]["name"] == form["name"]:
            raise Refusal({"error": "The app name you entered is already being used."}, 409)
    return records.new("apps", {name: form[name] for name in ("bundleId", "name", "primaryLocale", "sku")})
