"""The deployment: a backend that is verified healthy, then the build that points at it, then the build on testers' phones."""

import pulumi

from components.backend.component import Backend
from components.backend.settings import BackendSettings
from components.base import Component
from components.release import Release
from components.testflight.component import TestFlight
from components.testflight.ipa import build_args, build_ipa
from components.testflight.settings import IosSettings
from components.testflight.xcode import BuildSpec
from providers.appstore.build_distribution import BuildDistribution, BuildDistributionArgs
from providers.appstore.build_upload import BuildUpload
from providers.appstore.expired_builds import ExpiredBuilds, ExpiredBuildsArgs
from providers.appstore.installations import Installations, InstallationsArgs
from providers.appstore.processed_build import ProcessedBuild, ProcessedBuildArgs


class Deployment(Component):
    """Each step waits for the one before it:

    backend verified healthy -> build uploaded -> processed -> distributed -> installed
    """

    backend: Backend
    testflight: TestFlight
    build: BuildUpload
    processed: ProcessedBuild
    distribution: BuildDistribution
    installations: Installations
    """Which testers have installed the build. It does not wait for them: `missing` lists those who have not."""

    def __init__(
        self,
        name: str,
        backend: BackendSettings,
        ios: IosSettings,
        release: Release,
        opts: pulumi.ResourceOptions | None = None,
        *,
        declared_by: str = "",
        installations_due: str = "",
        monitor_suffix: str = "",
    ) -> None:
        """`protect` in `opts` protects everything that users and testers would miss. Apple is asked again who has
        installed the build when somebody declares the launch, `declared_by`, and from the day `installations_due`, as
        `2026-11-29`, until everybody has. `monitor_suffix` is as in Backend."""
        super().__init__(name, opts)
        self.backend = Backend(f"{name}-backend", backend, self.child_opts(), monitor_suffix=monitor_suffix)
        # An app at Fly that must not be adopted stops the launch before anything is created at Apple.
        self.testflight = TestFlight(f"{name}-testflight", ios, after=self.backend.survey, opts=self.child_opts())
        app, group, signing = self.testflight.app, self.testflight.group, self.testflight.signing

        verified = self.backend.rollout
        spec = BuildSpec(
            bundle_id=ios.bundle_id,
            version=release.version,
            build=release.build,
            api_key=ios.api_key,
            url=self.backend.url,
            ipa=str(ios.ipa),
        )
        signed_with: list[pulumi.Resource] = [signing.certificate, *signing.profiles] if signing else []
        ipa = build_ipa(name, ios, spec, signing=signing, after=verified, opts=self.replaceable_opts())
        self.build = BuildUpload(
            f"{name}-build-upload",
            build_args(
                ios,
                release,
                app_id=app.id,
                url=backend.known_url or self.backend.url,
                archived=ipa,
            ),
            # A group with access to all builds gets those that are uploaded after it exists. Certificate and profiles are deleted
            # only after the build, which the protected distribution keeps.
            self.replaceable_opts(verified, group, *signed_with),
        )
        self.processed = ProcessedBuild(
            f"{name}-processed-build",
            ProcessedBuildArgs(
                app_id=app.id,
                upload_id=self.build.upload_id,
                short_version=release.version,
                version=release.build,
                uses_non_exempt_encryption=ios.uses_non_exempt_encryption,
            ),
            self.replaceable_opts(),
        )
        self.distribution = BuildDistribution(
            f"{name}-distribution",
            BuildDistributionArgs(
                build_id=self.processed.build_id,
                group_id=group.id,
                whats_new={locale: f"{release.title}: {text}" for locale, text in ios.what_to_test.items()},
                notify=ios.notify_testers,
                automatic=group.has_access_to_all_builds,
                existed=self.testflight.survey.found_distributions,
            ),
            self.child_opts(self.testflight.testers),
        )
        if ios.expire_builds:
            ExpiredBuilds(
                f"{name}-expired-builds",
                ExpiredBuildsArgs(app_id=app.id, group_id=group.id, build_id=self.distribution.build_id),
                self.replaceable_opts(self.distribution),
            )
        self.installations = Installations(
            f"{name}-installations",
            InstallationsArgs(
                app_id=app.id,
                build_id=self.distribution.build_id,
                group_id=group.id,
                short_version=release.version,
                version=release.build,
                testers=[tester.email for tester in ios.testers],
                asked_by=declared_by,
                due=installations_due,
            ),
            self.replaceable_opts(self.distribution),
        )
        self.register_outputs({"url": self.backend.url, "buildId": self.processed.build_id})
