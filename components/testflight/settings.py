"""The settings of the iOS build and its testers."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from components.config import SettingText, StackConfig
from components.release import Release
from components.testflight import signing, xcode
from components.testflight.signing import SigningSettings
from components.testflight.xcode import XcodeSettings
from providers.appstore.app import AppArgs, AppProvider
from providers.appstore.beta_app_localization import BetaAppLocalizationArgs, BetaAppLocalizationProvider
from providers.appstore.beta_testers import BetaTestersArgs, BetaTestersProvider, Tester
from providers.appstore.bundle_id import BundleIdArgs, BundleIdProvider, name_for
from providers.appstore.bundle_id_capabilities import Capabilities
from providers.appstore.ipa import versions
from providers.appstore.texts import locale_problems, text_problems

NO_PATH = SettingText(
    "ipa", "is empty, and `{key}` writes the IPA there", remedy="set a path, for example build/app.ipa"
)
NO_TESTERS = SettingText("testers", "is empty", remedy="list at least one tester")
NOT_A_USAGE_KEY = SettingText(
    "usageDescriptions",
    "{key} is not a usage description key",
    remedy="use, for example, NSCameraUsageDescription",
)


class IosSettings(msgspec.Struct, frozen=True, kw_only=True):
    bundle_id: str
    app_name: str
    sku: str
    primary_locale: str | None
    """None: en-US for a new app record; an existing one keeps its language."""
    wait_for_app_record: int
    capabilities: Capabilities
    signing: SigningSettings | None
    xcode: XcodeSettings | None
    ipa: Path | None
    """The build to upload; None while there is none: then the stack has everything that a build needs, and no build."""
    archive: str
    """Command that builds the IPA; empty when another way is used."""
    passed: tuple[str, ...]
    """Environment variables that the command gets."""
    api_key: str
    minimum_os: str | None
    """The iOS version that the build has to support; None for any."""
    usage_descriptions: tuple[str, ...]
    group: str
    automatic_distribution: bool | None
    """Whether the group has access to all builds; None leaves an existing group as it is."""
    drop_testers: bool
    """Whether the group may be replaced, which removes members who are not listed."""
    testers: tuple[Tester, ...]
    invite_testers: bool
    remove_unlisted_testers: bool
    what_to_test: Mapping[str, str]
    expire_builds: bool
    """Whether the builds that the current one replaces are expired."""
    feedback_email: str | None
    notify_testers: bool
    uses_non_exempt_encryption: bool | None
    """The answer to Apple's export compliance question, for a build whose Info.plist does not give it."""

    @property
    def is_archived(self) -> bool:
        """Whether `up` builds the IPA, so that it may not exist at preview."""
        return bool(self.archive or (self.xcode and self.xcode.commit))


def read_ios(config: StackConfig, release: Release, passed: tuple[str, ...]) -> IosSettings:
    """The settings; problems are added to `config`. The IPA is not read: `appstore:BuildUpload` does that, when it has to be uploaded."""
    bundle_id, app_name, archive = config.text("bundleId"), config.text("appName"), config.optional("archive")
    signed = signing.read(config, app_name)
    xcode_settings = xcode.read(config, signed=signed is not None, archive=archive, passed=passed)
    ipa, api_key = config.optional("ipa"), config.text("apiKey")
    minimum_os = config.optional("minimumOs") or None
    usage_descriptions = tuple(config.optional("usageDescriptions").split())
    uses_non_exempt_encryption = config.choice("usesNonExemptEncryption")
    settings = IosSettings(
        bundle_id=bundle_id,
        app_name=app_name,
        sku=config.optional("sku") or bundle_id,
        primary_locale=config.optional("primaryLocale") or None,
        wait_for_app_record=config.whole("waitForAppRecord"),
        capabilities=signing.read_capabilities(config),
        signing=signed,
        xcode=xcode_settings,
        ipa=Path(ipa).expanduser() if ipa else None,
        archive=archive,
        passed=passed,
        api_key=api_key,
        minimum_os=minimum_os,
        usage_descriptions=usage_descriptions,
        group=config.text("group"),
        automatic_distribution=config.choice("automaticDistribution"),
        drop_testers=config.flag("dropTesters"),
        testers=tuple(
            Tester(email=row.get("email", ""), first_name=row.get("firstName"), last_name=row.get("lastName"))
            for row in config.tables("testers", ("email", "firstName", "lastName"))
        ),
        invite_testers=config.flag("inviteTesters"),
        remove_unlisted_testers=config.flag("removeUnlistedTesters"),
        what_to_test={locale: text.strip() for locale, text in config.table("whatToTest").items()},
        expire_builds=config.flag("expireBuilds"),
        feedback_email=config.optional("feedbackEmail") or None,
        notify_testers=config.flag("notifyTesters"),
        uses_non_exempt_encryption=uses_non_exempt_encryption,
    )
    _check_app(config, settings)
    _check_testers(config, settings, release)
    return settings


def _check_app(config: StackConfig, settings: IosSettings) -> None:
    if settings.bundle_id:
        bundle_id = BundleIdArgs(identifier=settings.bundle_id, name=name_for(settings.app_name, settings.bundle_id))
        config.refuse_all("bundleId", BundleIdProvider().validate(bundle_id, None))
    if settings.app_name:
        app = AppArgs(bundle_id=settings.bundle_id, name=settings.app_name, sku=settings.sku)
        config.refuse_all("appName", AppProvider().validate(app, None))
    if settings.is_archived and not settings.ipa:
        config.refuse(NO_PATH(key="archive" if settings.archive else "xcode.commit"))
    if settings.minimum_os:
        config.refuse_all("minimumOs", filter(None, [versions.problem(settings.minimum_os, "iOS")]))
    for key in settings.usage_descriptions:
        if not key.endswith("UsageDescription"):
            config.refuse(NOT_A_USAGE_KEY(key=key))


def _check_testers(config: StackConfig, settings: IosSettings, release: Release) -> None:
    texts = {locale: f"{release.title}: {text}" for locale, text in settings.what_to_test.items()}
    config.refuse_all("whatToTest", text_problems(texts))
    config.refuse_all("primaryLocale", locale_problems(settings.primary_locale or "en-US"))
    information = BetaAppLocalizationArgs(app_id="", locale="en-US", feedback_email=settings.feedback_email)
    config.refuse_all("feedbackEmail", BetaAppLocalizationProvider().validate(information, None))
    testers = BetaTestersArgs(
        group_id="", app_id="", testers=list(settings.testers), invite_users=settings.invite_testers
    )
    if config.refused("testers"):
        return
    config.refuse_all("testers", BetaTestersProvider().validate(testers, None))
    if not settings.testers:
        config.refuse(NO_TESTERS())
