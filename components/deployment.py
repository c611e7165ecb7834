"""The deployment: a backend that is verified healthy, then the build that points at it, then the build on testers' phones."""

from pathlib import Path

import msgspec
import pulumi

from checklist.ios_build import NO_BUILD
from components.backend.component import Backend
from components.backend.settings import BackendSettings
from components.base import Component
from components.release import Release
from components.testflight.component import TestFlight
from components.testflight.ipa import Ipa, build_args, build_ipa
from components.testflight.settings import IosSettings
from components.testflight.xcode import BuildSpec
from providers.appstore.build_distribution import BuildDistribution, BuildDistributionArgs
from providers.appstore.build_upload import BuildUpload
from providers.appstore.expired_builds import ExpiredBuilds, ExpiredBuildsArgs
from providers.appstore.installations import Installations, InstallationsArgs
from providers.appstore.processed_build import ProcessedBuild, ProcessedBuildArgs


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A build on its way to the testers."""

    upload: BuildUpload
    processed: ProcessedBuild
    distribution: BuildDistribution
    installations: Installations
    """Which testers have installed the build. It does not wait for them: `missing` lists those who have not."""


class Deployment(Component):
    """Each step waits for the one before it:

    backend verified healthy -> build uploaded -> processed -> distributed -> installed

    Without an IPA it ends with the backend, and with all that a build is signed with and distributed to.
    """

    backend: Backend
    testflight: TestFlight
    build: Build | None
    """None while no IPA is configured."""
    build_name: str
    """As TestFlight shows it."""
    not_installed_by: pulumi.Input[str]
    """The testers who have not installed it, for people."""

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
        spec = BuildSpec(
            bundle_id=ios.bundle_id,
            version=release.version,
            build=release.build,
            api_key=ios.api_key,
            url=self.backend.url,
            ipa=str(ios.ipa or ""),
        )
        # Without an IPA, this only writes the files that Xcode needs to build it.
        archived = build_ipa(
            name,
            ios,
            spec,
            signing=self.testflight.signing,
            after=self.backend.rollout,
            opts=self.replaceable_opts(),
        )
        self.build, self.build_name, self.not_installed_by = None, NO_BUILD, NO_BUILD
        if ios.ipa:
            self.build = self._build(
                ios,
                release,
                ios.ipa,
                url=backend.known_url or self.backend.url,
                archived=archived,
                declared_by=declared_by,
                installations_due=installations_due,
            )
            self.build_name = release.build_name
            missing = self.build.installations.missing
            self.not_installed_by = missing.apply(lambda testers: ", ".join(testers) or "nobody: all have it")
        self.register_outputs(
            {"url": self.backend.url, **({"buildId": self.build.processed.build_id} if self.build else {})}
        )

    def _build(
        self,
        ios: IosSettings,
        release: Release,
        path: Path,
        *,
        archived: Ipa,
        url: str | pulumi.Output[str],
        declared_by: str,
        installations_due: str,
    ) -> Build:
        """Upload the IPA at `path`, and give it to the testers."""
        name, verified = self.name, self.backend.rollout
        app, group, signing = self.testflight.app, self.testflight.group, self.testflight.signing
        signed_with: list[pulumi.Resource] = [signing.certificate, *signing.profiles] if signing else []
        upload = BuildUpload(
            f"{name}-build-upload",
            build_args(
                ios,
                release,
                path=path,
                app_id=app.id,
                url=url,
                archived=archived,
            ),
            # A group with access to all builds gets those that are uploaded after it exists. Certificate and profiles are deleted
            # only after the build, which the protected distribution keeps.
            self.replaceable_opts(verified, group, *signed_with),
        )
        processed = ProcessedBuild(
            f"{name}-processed-build",
            ProcessedBuildArgs(
                app_id=app.id,
                upload_id=upload.upload_id,
                short_version=release.version,
                version=release.build,
                uses_non_exempt_encryption=ios.uses_non_exempt_encryption,
            ),
            self.replaceable_opts(),
        )
        distribution = BuildDistribution(
            f"{name}-distribution",
            BuildDistributionArgs(
                build_id=processed.build_id,
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
                ExpiredBuildsArgs(app_id=app.id, group_id=group.id, build_id=distribution.build_id),
                self.replaceable_opts(distribution),
            )
        installations = Installations(
            f"{name}-installations",
            InstallationsArgs(
                app_id=app.id,
                build_id=distribution.build_id,
                group_id=group.id,
                short_version=release.version,
                version=release.build,
                testers=[tester.email for tester in ios.testers],
                asked_by=declared_by,
                due=installations_due,
            ),
            self.replaceable_opts(distribution),
        )
        return Build(upload=upload, processed=processed, distribution=distribution, installations=installations)
