"""The iOS side: bundle ID, app entry, the build, and the testers who have it."""

from dataclasses import asdict

import pulumi

from components.release import Release
from components.testflight import xcode
from components.testflight.settings import IosSettings
from components.testflight.signing import Signing
from providers.appstore.app import App
from providers.appstore.beta_app_localization import BetaAppLocalization
from providers.appstore.beta_group import BetaGroup
from providers.appstore.beta_testers import BetaTesters
from providers.appstore.build import Build
from providers.appstore.build_distribution import BuildDistribution
from providers.appstore.bundle_id import BundleId, BundleIdArgs
from providers.appstore.bundle_id_capabilities import BundleIdCapabilities
from providers.appstore.installations import Installations
from providers.appstore.processed_build import ProcessedBuild


class TestFlight(pulumi.ComponentResource):
    """In the testers' hands when `distribution` exists; on their phones when `installations.missing` is empty."""

    distribution: BuildDistribution
    installations: Installations
    signing: Signing | None
    """What builds are signed with; None where somebody else does it."""

    def __init__(
        self,
        name: str,
        settings: IosSettings,
        release: Release,
        *,
        backend_url: pulumi.Input[str],
        backend_verified: pulumi.Resource,
        protect: bool,
    ) -> None:
        """The build points at `backend_url`, so it is made and uploaded once that backend is verified."""
        super().__init__("solos:TestFlight", name)
        inner = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=protect)
        after_backend = pulumi.ResourceOptions(parent=self, depends_on=[backend_verified])

        bundle_id = BundleId("bundle-id", BundleIdArgs(identifier=settings.bundle_id, name=settings.app_name), kept)
        capabilities = BundleIdCapabilities(
            "capabilities", bundle_id=bundle_id.id, capabilities=settings.capabilities, opts=inner
        )
        to_build = xcode.Build(
            bundle_id=settings.bundle_id,
            version=release.version,
            build=release.build,
            api_key=settings.api_key,
            url=backend_url,
            ipa=str(settings.ipa),
        )
        sha256: pulumi.Input[str] = settings.sha256
        signed_by: Signing | None = None
        if settings.archive:
            sha256 = xcode.by_command(settings.archive, to_build, after_backend)
        self.signing = None
        if settings.signing:
            self.signing = Signing(
                "signing",
                settings.signing,
                bundle_id=bundle_id,
                capabilities=capabilities,
                protect=protect,
                opts=inner,
            )
            if settings.xcode:
                built = xcode.Xcode(
                    "xcode", settings.xcode, to_build, signing=self.signing, after=backend_verified, opts=inner
                )
                if built.sha256 is not None:
                    sha256, signed_by = built.sha256, self.signing
        app = App(
            "app-entry",
            bundle_id=bundle_id.identifier,
            name=settings.app_name,
            sku=settings.sku,
            primary_locale=settings.primary_locale,
            wait_seconds=settings.wait_for_app_entry,
            opts=kept,
        )
        if settings.feedback_email:
            BetaAppLocalization(
                "test-information",
                app_id=app.id,
                locale=settings.primary_locale,
                feedback_email=settings.feedback_email,
                opts=inner,
            )
        group = BetaGroup(
            "group",
            app_id=app.id,
            name=settings.group,
            has_access_to_all_builds=settings.automatic_distribution,
            drops_testers=settings.drop_testers,
            opts=inner,
        )
        testers = BetaTesters(
            "testers",
            group_id=group.id,
            app_id=app.id,
            testers=[asdict(tester) for tester in settings.testers],
            invite_users=settings.invite_testers,
            remove_unlisted=settings.remove_unlisted_testers,
            opts=inner,
        )
        self.build = Build(
            "build",
            app_id=app.id,
            ipa=str(settings.ipa),
            sha256=sha256,
            bundle_id=settings.bundle_id,
            short_version=release.version,
            version=release.build,
            info={settings.api_key: backend_url},
            minimum_os=settings.minimum_os,
            usage_descriptions=list(settings.usage_descriptions),
            # An IPA from elsewhere may be signed by whom it likes.
            team_id=signed_by.profile.team_id if signed_by else None,
            certificate=signed_by.certificate.certificate.apply(xcode.der_in_base64) if signed_by else None,
            # A group that gets builds by itself may not get those that came before it (MobAI #24).
            opts=pulumi.ResourceOptions(parent=self, depends_on=[backend_verified, group]),
        )
        self.processed = ProcessedBuild(
            "processed-build",
            app_id=app.id,
            upload_id=self.build.upload_id,
            short_version=release.version,
            version=release.build,
            uses_non_exempt_encryption=settings.uses_non_exempt_encryption,
            opts=inner,
        )
        self.distribution = BuildDistribution(
            "distribution",
            build_id=self.processed.build_id,
            group_id=group.id,
            whats_new={locale: f"{release.title}: {text}" for locale, text in settings.what_to_test.items()},
            notify=settings.notify_testers,
            automatic=group.has_access_to_all_builds,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[testers]),
        )
        self.installations = Installations(
            "installations",
            app_id=app.id,
            build_id=self.distribution.build_id,
            group_id=group.id,
            short_version=release.version,
            version=release.build,
            testers=[tester.email for tester in settings.testers],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.distribution]),
        )
        self.register_outputs({"build": self.processed.build_id})
