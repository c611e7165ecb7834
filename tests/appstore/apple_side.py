"""All App Store resources as one stack, created and destroyed in the order of the engine.

People act at once where a launch needs them: somebody fills in Apple's form as soon as there is a bundle ID.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Self

from harness.appstore import ADA, BUNDLE_ID, fill_in_the_form, person
from harness.driver import DrivenStack
from harness.inprocess import control
from providers.appstore.app import AppProvider
from providers.appstore.beta_app_localization import BetaAppLocalizationProvider
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.expired_builds import ExpiredBuildsProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from providers.appstore.survey import SurveyProvider
from rehearsal.cloud.store import Document
from rehearsal.cloud.world import World

APP = {"bundle_id": BUNDLE_ID, "name": "SolOS", "sku": "solos", "primary_locale": "en-US", "wait_seconds": 300}


@dataclass(kw_only=True)
class AppleSide(DrivenStack):
    world: World = field(repr=False)
    builds: dict[str, dict[str, Any]] = field(repr=False)
    """Arguments of `Build` by build number, but for the app."""

    def up(self, *, build: str = "0", testers: tuple[str, ...] = (ADA,)) -> None:
        """Bring the build to the testers. A step that fails raises, and no further step runs."""
        survey = self.do(
            "survey", SurveyProvider, bundle_id=BUNDLE_ID, group="Internal Testers", informs=True, signs=False
        )
        self.do(
            "bundle id",
            BundleIdProvider,
            identifier=BUNDLE_ID,
            name="SolOS",
            existed=survey["found_bundle_ids"],
        )
        fill_in_the_form(self.world)
        self.do("app", AppProvider, **APP)
        app = self.resources["app"].id
        self.do(
            "feedback",
            BetaAppLocalizationProvider,
            app_id=app,
            locale="en-US",
            feedback_email=ADA,
            existed=survey["found_localizations"],
        )
        self.do("group", BetaGroupProvider, app_id=app, name="Internal Testers", existed=survey["found_groups"])
        group = self.resources["group"].id
        self.do(
            "testers",
            BetaTestersProvider,
            group_id=group,
            app_id=app,
            testers=[person(email) for email in testers],
            invite_users=True,
            existed=survey["found_testers"],
        )
        upload = self.do("build", BuildUploadProvider, **self.builds[build] | {"app_id": app})
        processed = self.do(
            "processed build",
            ProcessedBuildProvider,
            app_id=app,
            upload_id=upload["upload_id"],
            short_version="1.0.0",
            version=build,
            uses_non_exempt_encryption=False,
        )
        self.do(
            "distribution",
            BuildDistributionProvider,
            build_id=processed["build_id"],
            group_id=group,
            whats_new={"en-US": f"1.0.0 (v{build}): sign up.", "de-DE": f"1.0.0 (v{build}): Bitte anmelden."},
            notify=False,
            existed=survey["found_distributions"],
        )
        self.do("expired builds", ExpiredBuildsProvider, app_id=app, group_id=group, build_id=processed["build_id"])
        self.finish()

    def copy(self, world: World) -> Self:
        return replace(super().copy(world), world=world)


def held(world: World) -> dict[str, Any]:
    """Everything in the account, without ids and times, so that equivalent accounts are equal."""
    world.clock.sleep(60)  # lost calls that are still on their way arrive
    state: dict[str, list[Document]] = control(world, "GET", "/appstore/state")
    by_id = {record["id"]: record for kind in state.values() for record in kind}
    return {
        "how many of each": {kind: len(records) for kind, records in state.items()},
        "bundle IDs": [bundle_id["identifier"] for bundle_id in state["bundleIds"]],
        "apps": [(app["bundleId"], app["name"]) for app in state["apps"]],
        "feedback": [
            (localization["locale"], localization["feedbackEmail"]) for localization in state["betaAppLocalizations"]
        ],
        "groups": [
            {
                "name": group["name"],
                "testers": sorted(by_id[id]["email"] for id in group["links"].get("betaTesters", ())),
                "builds": sorted(by_id[id]["version"] for id in group["links"].get("builds", ())),
            }
            for group in state["betaGroups"]
        ],
        "invitations": Counter(invitation["email"] for invitation in state["userInvitations"]),
        "uploads": sorted((upload["cfBundleVersion"], upload["state"]["state"]) for upload in state["buildUploads"]),
        "bytes": sorted(_is_whole(world, file) for file in state["buildUploadFiles"]),
        "builds": sorted((build["version"], build["processingState"], build["expired"]) for build in state["builds"]),
        "details": sorted(
            (detail["internalBuildState"], detail["autoNotifyEnabled"]) for detail in state["buildBetaDetails"]
        ),
        "texts": sorted(
            (localization["locale"], localization["whatsNew"] or "") for localization in state["betaBuildLocalizations"]
        ),
    }


def _is_whole(world: World, file: Document) -> bool:
    """Whether Apple has the bytes whose digest is in the file's name."""
    received = world.files / "uploads" / file["id"]
    digest = hashlib.sha256(received.read_bytes()).hexdigest() if received.exists() else ""
    return str(file["fileName"]).endswith(f"-{digest}.ipa")
