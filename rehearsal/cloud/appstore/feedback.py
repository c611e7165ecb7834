"""Feedback of testers: crash reports and screenshots, each with a comment."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.cloud.appstore.beta_testers import find_tester
from rehearsal.cloud.appstore.kinds import Kind, Records, Relation, date
from rehearsal.cloud.service import Refusal
from rehearsal.cloud.store import Document


class Feedback(Kind):
    operations = ("DELETE", "GET_INSTANCE")
    attributes: ClassVar[Mapping[str, Any]] = {
        "createdDate": None,
        "comment": None,
        "email": None,
        "deviceModel": None,
        "osVersion": None,
        "locale": "en-US",
        "timeZone": "America/Los_Angeles",
        "architecture": "arm64e",
        "connectionType": "WIFI",
        "pairedAppleWatch": None,
        "appUptimeInMilliseconds": None,
        "diskBytesAvailable": None,
        "diskBytesTotal": None,
        "batteryPercentage": None,
        "screenWidthInPoints": None,
        "screenHeightInPoints": None,
        "appPlatform": "IOS",
        "devicePlatform": "IOS",
        "deviceFamily": "IPHONE",
        "buildBundleId": None,
    }
    relations: ClassVar[Mapping[str, Relation]] = {
        "build": Relation(target="builds", data_only=True),
        "tester": Relation(target="betaTesters", data_only=True),
    }
    filters = (
        "deviceModel",
        "osVersion",
        "appPlatform",
        "devicePlatform",
        "build",
        "build.preReleaseVersion",
        "tester",
    )
    sorts = ("createdDate",)
    includes = ("build", "tester")

    def shown(self, record: Document) -> Document:
        return {**super().shown(record), "createdDate": date(record["made"])}


class BetaFeedbackCrashSubmissions(Feedback):
    type = "betaFeedbackCrashSubmissions"


class BetaFeedbackScreenshotSubmissions(Feedback):
    type = "betaFeedbackScreenshotSubmissions"
    attributes: ClassVar[Mapping[str, Any]] = {**Feedback.attributes, "screenshots": []}


KINDS = {"crash": BetaFeedbackCrashSubmissions.type, "screenshot": BetaFeedbackScreenshotSubmissions.type}


def send(records: Records, email: str, kind: str, comment: str) -> Document:
    """A tester sends a report about the build that was installed last. Raises Refusal with `{"error"}`."""
    tester = find_tester(records, email)
    if kind not in KINDS or tester is None or not tester.get("installs"):
        raise Refusal(
            {"error": f"{email} has not installed a build, or '{kind}' is not one of {', '.join(KINDS)}"}, 404
        )
    build = records.get("builds", tester["installs"][-1]["build"])
    assert build
    device = tester["devices"][-1]
    about = {"comment": comment, "email": email, "deviceModel": device["model"], "osVersion": device["osVersion"]}
    links = {"app": build["links"]["app"], "build": build["id"], "tester": tester["id"]}
    return records.new(KINDS[kind], about, links)
