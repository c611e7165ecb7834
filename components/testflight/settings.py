"""What a stack says about its iOS build and who gets it, and what is wrong with an IPA that is there already."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from components.backend.settings import BackendSettings
from components.config import StackConfig
from components.release import Release
from components.testflight import signing, xcode
from components.testflight.signing import SigningSettings
from components.testflight.xcode import XcodeSettings
from providers.appstore.app import AppArgs, AppProvider
from providers.appstore.beta_app_localization import BetaAppLocalizationArgs, BetaAppLocalizationProvider
from providers.appstore.beta_testers import BetaTestersArgs, BetaTestersProvider, Tester
from providers.appstore.build_distribution import text_problems
from providers.appstore.bundle_id import BundleIdArgs, BundleIdProvider
from providers.appstore.bundle_id_capabilities import Capabilities
from providers.appstore.ipa import problems, reader, versions
from providers.errors import ProviderError


@dataclass(frozen=True, kw_only=True)
class IosSettings:
    bundle_id: str
    app_name: str
    sku: str
    primary_locale: str
    wait_for_app_entry: int
    capabilities: Capabilities
    signing: SigningSettings | None
    xcode: XcodeSettings | None
    ipa: Path
    archive: str
    """Command that makes the IPA; empty when it is there already."""
    sha256: str
    """Of the IPA that is there already, else empty."""
    api_key: str
    minimum_os: str | None
    """The iOS that testers are promised; None: whichever the IPA needs."""
    usage_descriptions: tuple[str, ...]
    group: str
    automatic_distribution: bool | None
    """Whether each processed build reaches the group by itself; None: as a group has it that is there already."""
    drop_testers: bool
    """Whether the group may be made anew, without those of its members who are not listed."""
    testers: tuple[Tester, ...]
    invite_testers: bool
    remove_unlisted_testers: bool
    what_to_test: Mapping[str, str]
    feedback_email: str | None
    notify_testers: bool
    uses_non_exempt_encryption: bool | None
    """The answer to Apple's question about export compliance, for an IPA that does not give it."""

    @property
    def is_archived(self) -> bool:
        """Whether the IPA is made by this program, and so not there yet."""
        return bool(self.archive or (self.xcode and self.xcode.commit))


def read_ios(config: StackConfig, release: Release, backend: BackendSettings, folder: Path) -> IosSettings:
    """The settings; what is wrong with them, or with the IPA, is noted in `config`."""
    bundle_id = config.text("bundleId")
    testers = config.tables("testers", ("email", "firstName", "lastName"))
    app_name = config.text("appName", "SolOS")
    signed = signing.read(config, app_name)
    settings = IosSettings(
        bundle_id=bundle_id,
        app_name=app_name,
        sku=config.text("sku", bundle_id),
        primary_locale=config.text("primaryLocale", "en-US"),
        wait_for_app_entry=config.whole("waitForAppEntry", 0),
        capabilities=signing.read_capabilities(config),
        signing=signed,
        xcode=xcode.read(config, folder, signed=signed is not None, archive=config.text("archive", "")),
        ipa=Path(config.text("ipa")).expanduser(),
        archive=config.text("archive", ""),
        sha256="",
        api_key=config.text("apiKey", "API_BASE_URL"),
        minimum_os=config.text("minimumOs", "") or None,
        usage_descriptions=tuple(config.text("usageDescriptions", "").split()),
        group=config.text("group", "Internal Testers"),
        automatic_distribution=config.choice("automaticDistribution"),
        drop_testers=config.flag("dropTesters", default=False),
        testers=tuple(
            Tester(email=each.get("email", ""), first_name=each.get("firstName"), last_name=each.get("lastName"))
            for each in testers
        ),
        invite_testers=config.flag("inviteTesters", default=False),
        remove_unlisted_testers=config.flag("removeUnlistedTesters", default=False),
        what_to_test=config.table("whatToTest"),
        feedback_email=config.text("feedbackEmail", "") or None,
        notify_testers=config.flag("notifyTesters", default=True),
        uses_non_exempt_encryption=config.choice("usesNonExemptEncryption"),
    )
    entry = AppArgs(bundle_id=bundle_id, name=settings.app_name, sku=settings.sku)
    members = BetaTestersArgs(
        group_id="", app_id="", testers=list(settings.testers), invite_users=settings.invite_testers
    )
    if bundle_id:
        config.refuse_all(
            "bundleId", BundleIdProvider().validate(BundleIdArgs(identifier=bundle_id, name="SolOS"), None)
        )
    config.refuse_all("appName", AppProvider().validate(entry, None))
    texts = {locale: f"{release.title}: {text}" for locale, text in settings.what_to_test.items()}
    config.refuse_all("whatToTest", text_problems(texts))
    information = BetaAppLocalizationArgs(
        app_id="", locale=settings.primary_locale, feedback_email=settings.feedback_email
    )
    config.refuse_all("feedbackEmail", BetaAppLocalizationProvider().validate(information, None))
    config.refuse_all("testers", BetaTestersProvider().validate(members, None))
    if not settings.testers and not any(problem.startswith("solos:testers") for problem in config.problems):
        config.refuse("testers", "is empty: nobody would get the build")
    if settings.minimum_os:
        config.refuse_all("minimumOs", filter(None, [versions.problem(settings.minimum_os, "iOS")]))
    for key in settings.usage_descriptions:
        if not key.endswith("UsageDescription"):
            config.refuse("usageDescriptions", f"{key} is no key of a permission: NSCameraUsageDescription, say")
    if settings.is_archived or not config.text("ipa", ""):
        return settings
    known = backend.domain or ("" if backend.unique_names else f"{backend.app}.fly.dev")
    url = f"https://{known}" if known else None
    problems, sha256 = inspect(settings, release, url, folder)
    config.refuse_all("ipa", problems)
    return replace(settings, sha256=sha256)


def inspect(settings: IosSettings, release: Release, url: str | None, folder: Path) -> tuple[list[str], str]:
    """What is wrong with the IPA, and its SHA-256. Without a `url`, any backend it points at will do."""
    path = folder / settings.ipa
    expected = problems.Expected(
        bundle_id=settings.bundle_id,
        short_version=release.version,
        version=release.build,
        info={settings.api_key: url} if url else {},
        minimum_os=settings.minimum_os,
        usage_descriptions=settings.usage_descriptions,
        says_export_compliance=settings.uses_non_exempt_encryption is None,
    )
    try:
        found = problems.problems(reader.inspect(path), expected)
        return [f"{settings.ipa}: {problem}" for problem in found], reader.sha256(path)
    except ProviderError as error:
        return [str(error)], ""
