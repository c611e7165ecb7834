"""What TestFlight needs before there is a build: bundle ID, signing, the app record, and the testers."""

import pulumi
from msgspec.structs import replace

from components.base import Component
from components.testflight.settings import IosSettings
from components.testflight.signing import Signing
from providers.appstore.app import App, AppArgs
from providers.appstore.beta_app_localization import BetaAppLocalization, BetaAppLocalizationArgs
from providers.appstore.beta_group import BetaGroup, BetaGroupArgs
from providers.appstore.beta_testers import BetaTesters, BetaTestersArgs
from providers.appstore.bundle_id import BundleId, BundleIdArgs, name_for
from providers.appstore.bundle_id_capabilities import BundleIdCapabilities, BundleIdCapabilitiesArgs
from providers.appstore.survey import Survey, SurveyArgs


class TestFlight(Component):
    """The app in App Store Connect and its group of testers. It does not depend on the backend, so both are created in parallel."""

    survey: Survey
    app: App
    group: BetaGroup
    testers: BetaTesters
    signing: Signing | None
    """What builds are signed with; None where they are signed elsewhere."""

    def __init__(
        self,
        name: str,
        settings: IosSettings,
        *,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Everything is created after the resource `after`. `protect` in `opts` protects what testers need, and the signing key."""
        super().__init__(name, opts)
        self.survey = Survey(
            f"{name}-survey", replace(claims(settings), protected=self.is_protected), self.replaceable_opts(after)
        )
        bundle_id = BundleId(
            f"{name}-bundle-id",
            BundleIdArgs(
                identifier=settings.bundle_id,
                name=name_for(settings.app_name, settings.bundle_id),
                existed=self.survey.found_bundle_ids,
            ),
            self.child_opts(),
        )
        capabilities = BundleIdCapabilities(
            f"{name}-capabilities",
            BundleIdCapabilitiesArgs(bundle_id=bundle_id.id, capabilities=settings.capabilities),
            self.child_opts(),
        )
        self.signing = None
        if settings.signing:
            self.signing = Signing(
                f"{name}-signing",
                settings.signing,
                bundle_id=bundle_id,
                capabilities=capabilities,
                survey=self.survey,
                app=settings.bundle_id,
                opts=self.child_opts(),
            )
        self.app = App(
            f"{name}-app",
            AppArgs(
                bundle_id=bundle_id.identifier,
                name=settings.app_name,
                sku=settings.sku,
                primary_locale=settings.primary_locale,
                wait_seconds=settings.wait_for_app_record,
            ),
            self.child_opts(),
        )
        if settings.feedback_email:
            BetaAppLocalization(
                f"{name}-test-information",
                BetaAppLocalizationArgs(
                    app_id=self.app.id,
                    locale=self.app.primary_locale.apply(lambda locale: locale or "en-US"),
                    feedback_email=settings.feedback_email,
                    existed=self.survey.found_localizations,
                ),
                # Emptied, or in another language, it is left to Apple as it is.
                pulumi.ResourceOptions.merge(
                    self.replaceable_opts(), pulumi.ResourceOptions(retain_on_delete=self.is_protected)
                ),
            )
        self.group = BetaGroup(
            f"{name}-group",
            BetaGroupArgs(
                app_id=self.app.id,
                name=settings.group,
                has_access_to_all_builds=settings.automatic_distribution,
                drops_testers=settings.drop_testers,
                existed=self.survey.found_groups,
            ),
            self.child_opts(),
        )
        self.testers = BetaTesters(
            f"{name}-testers",
            BetaTestersArgs(
                group_id=self.group.id,
                app_id=self.app.id,
                testers=list(settings.testers),
                invite_users=settings.invite_testers,
                remove_unlisted=settings.remove_unlisted_testers,
                existed=self.survey.found_testers,
            ),
            self.child_opts(),
        )
        self.register_outputs({"app": self.app.id, "group": self.group.id})


def claims(settings: IosSettings) -> SurveyArgs:
    """What the stack is going to have in App Store Connect, by name."""
    return SurveyArgs(
        bundle_id=settings.bundle_id,
        group=settings.group,
        informs=bool(settings.feedback_email),
        signs=settings.signing is not None,
        extensions=[f"{settings.bundle_id}.{end}" for end in (settings.signing.extensions if settings.signing else ())],
    )
