"""The settings of a launch: stack configuration, fly.toml and the IPA as typed values, or everything that is wrong with them.

Everything is read at preview, before anything is declared, and refused at once: the engine shows only the first resource whose
inputs are wrong. What one resource accepts is asked of its own provider, so that it is said in one place. Pure but for reading
the files.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from components import database, environment, image_build, signing, smoke_test, xcode
from components.config import StackConfig
from components.database import DatabaseSettings
from components.image_build import ImageBuildSettings
from components.monitoring_settings import MonitoringSettings, read_monitoring
from components.signing import SigningSettings
from components.smoke_test import SmokeTest
from components.xcode import XcodeSettings
from providers.appstore import ipa, ipa_problems, versions
from providers.appstore.app import AppArgs as AppEntryArgs
from providers.appstore.app import AppProvider as AppEntryProvider
from providers.appstore.beta_app_localization import BetaAppLocalizationArgs, BetaAppLocalizationProvider
from providers.appstore.beta_testers import BetaTestersArgs, BetaTestersProvider, Tester
from providers.appstore.build_distribution import text_problems
from providers.appstore.bundle_id import BundleIdArgs, BundleIdProvider
from providers.appstore.bundle_id_capabilities import Capabilities
from providers.checks.launch_record import Waiver
from providers.errors import ProviderError
from providers.fly import appconfig, certificate
from providers.fly.app import AppArgs, AppProvider
from providers.fly.appconfig import AppConfig
from providers.fly.image import ImageArgs, ImageProvider
from providers.fly.volume import VolumeArgs, VolumeProvider
from report.checklist import ROWS

ENDPOINTS = ("fly", "flyPlatform", "appstore", "registry", "proxy")
CREDENTIALS = ("flyApiToken", "ascKeyId", "ascIssuerId", "ascPrivateKey")
PLAN = "infra-docs/smoke-test.toml"
EARLIER = re.compile(r"launched|withdrawn: (?P<why>\S.*)")
"""What can be said of an earlier release."""
ENDING = 7
"""Characters that `uniqueNames` adds to the app's name."""


class BadSettings(Exception):
    """`problems` are sentences, each naming its key or `fly.toml:LINE`; `settings` is what could be read all the same."""

    def __init__(self, problems: Collection[str], settings: "Settings") -> None:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"the settings have {count}; nothing was touched:\n" + "\n".join(f"  {each}" for each in problems)
        )
        self.problems = tuple(problems)
        self.settings = settings


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is launched. Apple stores `version` and `build`; `label` is what people say."""

    version: str
    build: str
    label: str

    @property
    def title(self) -> str:
        return f"{self.version} ({self.label})"


@dataclass(frozen=True, kw_only=True)
class BackendSettings:
    org: str
    app: str
    unique_names: bool
    image: str
    image_build: ImageBuildSettings | None
    machine: AppConfig
    machine_name: str
    database: DatabaseSettings
    given_secrets: Mapping[str, str] = field(repr=False)
    domain: str
    """Hostname of the team's own; empty when `<app>.fly.dev` will do."""
    wait_for_domain: int
    health_path: str
    expect_body: str | None

    @property
    def longest_name(self) -> str:
        """As long as the app's name can become."""
        return self.app + "x" * ENDING * self.unique_names

    @property
    def has_replica(self) -> bool:
        """Whether Litestream is given a bucket to replicate the database to."""
        return "BUCKET_NAME" in self.given_secrets


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


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    smoke_test: SmokeTest
    waivers: Mapping[str, Waiver]
    declared_by: str
    """Who says that it is launched; empty as long as nobody does."""
    withdrawn: str
    """Why it is not any more; empty as long as it is."""
    earlier: Mapping[str, str]
    """Why each earlier release was withdrawn, by label; empty for one that was not. Their records are kept."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    release: Release
    backend: BackendSettings
    monitoring: MonitoringSettings | None
    ios: IosSettings
    launch: LaunchSettings
    protect: bool


def read(values: Mapping[str, str], secret_keys: Collection[str], folder: Path) -> Settings:
    """The settings of a stack whose configuration is `values`, with fly.toml in `folder`. Raises BadSettings."""
    config = StackConfig(values, secret_keys)
    machine = appconfig.load(folder / "fly.toml")
    release = _release(config)
    backend = _backend(config, machine, folder / "fly.toml")
    ios = _ios(config, release, backend, folder)
    settings = Settings(
        release=release,
        backend=backend,
        monitoring=read_monitoring(config, backend.longest_name, machine.primary_region or ""),
        ios=ios,
        launch=_launch(config, release, ios, folder),
        protect=config.flag("protect", default=True),
    )
    config.table("endpoints", ENDPOINTS)
    config.text("credentialsFile", "")
    for key in CREDENTIALS:
        config.secret(key)
    config.refuse_unread()
    problems = [*machine.problems, *config.problems]
    if problems:
        raise BadSettings(problems, settings)
    return settings


def _release(config: StackConfig) -> Release:
    release = Release(version=config.text("version"), build=config.text("build"), label=config.text("label"))
    for key, number in (("version", release.version), ("build", release.build)):
        if number:
            _refuse(config, key, filter(None, [versions.problem(number, key)]))
    return release


def _backend(config: StackConfig, machine: AppConfig, fly_toml: Path) -> BackendSettings:
    image = config.text("image")
    backend = BackendSettings(
        org=config.text("org"),
        app=config.text("app", machine.app or ""),
        unique_names=config.flag("uniqueNames", default=False),
        image=image,
        image_build=image_build.read(config, image, fly_toml.parent),
        machine=machine,
        machine_name=config.text("machine", "solserver"),
        database=database.read(config),
        given_secrets=config.table("secrets"),
        domain=config.text("domain", ""),
        wait_for_domain=config.whole("waitForDomain", 0),
        health_path=_health_path(machine),
        expect_body=config.text("expectBody", "") or None,
    )
    if not backend.app:
        config.refuse("app", "is missing, and fly.toml names none")
    else:
        _refuse(config, "app", AppProvider().validate(AppArgs(name=backend.longest_name, org=backend.org), None))
    if backend.image:
        _refuse(config, "image", ImageProvider().validate(ImageArgs(reference=backend.image), None))
    if backend.domain:
        _refuse(config, "domain", certificate.problems(backend.domain))
        if backend.domain.startswith("*."):
            config.refuse("domain", f"{backend.domain} stands for many: name the one that the phones ask")
    if backend.given_secrets and not config.is_secret("secrets"):
        config.refuse("secrets", "is readable by everybody; set each value with `pulumi config set --secret --path`")
    kind = backend.database.kind
    if not machine.problems:
        config.problems += _machine_problems(machine, fly_toml, kind)
    for source, name, problem in environment.problems(machine.env, backend.given_secrets, kind):
        if source == "given":
            config.refuse(f"secrets.{name}", problem)
        elif not machine.problems:
            config.problems.append(f"{_place(fly_toml, 'env', name)}: [env] {name} {problem}")
    return backend


def _machine_problems(machine: AppConfig, fly_toml: Path, kind: environment.Database) -> Iterable[str]:
    """What is wrong with a fly.toml that is well formed, but not the machine of a server with that database."""
    if not machine.primary_region:
        yield f"{fly_toml.name}:1: primary_region is missing: it is where the machine and its volume are"
    if not _health_path(machine):
        yield f"{_place(fly_toml, 'http_service')}: an http_service.checks with a path is missing: a release is verified by it"
    for service in machine.config.get("services", ()):
        wanted = service.get("min_machines_running", 0)
        if wanted > 1:
            place = _place(fly_toml, "http_service", "min_machines_running")
            yield f"{place}: {wanted} machines are not there to run: v0 has one (infra-docs/SCALING.md), say 1"
    mount = machine.mount
    if kind == "postgres":
        if mount:
            yield (
                f"{_place(fly_toml, 'mounts[0]')}: [[mounts]] is for SQLite, and solos:database is postgres: take it out "
                "(with rows in it, read infra-docs/SCALING.md, step 3, first)"
            )
        return
    if mount is None:
        yield f"{fly_toml.name}:1: [[mounts]] is missing: SQLite needs a volume, or its rows go with each deploy"
        return
    path = PurePosixPath(machine.env.get("DATABASE_PATH", "/"))
    if not path.is_relative_to(mount.destination):
        place = _place(fly_toml, "env", "DATABASE_PATH")
        yield f"{place}: DATABASE_PATH {path} is not on the volume at {mount.destination}: rows would go with each deploy"
    volume = VolumeArgs(
        app=machine.app or "",
        name=mount.source,
        region=machine.primary_region or "",
        size_gb=mount.initial_size_gb,
        snapshot_retention=mount.snapshot_retention,
    )
    for problem in VolumeProvider().validate(volume, None):
        yield f"{_place(fly_toml, 'mounts[0]')}: [mounts] {problem}"


def _health_path(machine: AppConfig) -> str:
    checks = (check for service in machine.config.get("services", ()) for check in service.get("checks", ()))
    return next((str(check["path"]) for check in checks if check.get("path")), "")


def _ios(config: StackConfig, release: Release, backend: BackendSettings, folder: Path) -> IosSettings:
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
    entry = AppEntryArgs(bundle_id=bundle_id, name=settings.app_name, sku=settings.sku)
    members = BetaTestersArgs(
        group_id="", app_id="", testers=list(settings.testers), invite_users=settings.invite_testers
    )
    if bundle_id:
        _refuse(config, "bundleId", BundleIdProvider().validate(BundleIdArgs(identifier=bundle_id, name="SolOS"), None))
    _refuse(config, "appName", AppEntryProvider().validate(entry, None))
    texts = {locale: f"{release.title}: {text}" for locale, text in settings.what_to_test.items()}
    _refuse(config, "whatToTest", text_problems(texts))
    information = BetaAppLocalizationArgs(
        app_id="", locale=settings.primary_locale, feedback_email=settings.feedback_email
    )
    _refuse(config, "feedbackEmail", BetaAppLocalizationProvider().validate(information, None))
    _refuse(config, "testers", BetaTestersProvider().validate(members, None))
    if not settings.testers and not any(problem.startswith("solos:testers") for problem in config.problems):
        config.refuse("testers", "is empty: nobody would get the build")
    if settings.minimum_os:
        _refuse(config, "minimumOs", filter(None, [versions.problem(settings.minimum_os, "iOS")]))
    for key in settings.usage_descriptions:
        if not key.endswith("UsageDescription"):
            config.refuse("usageDescriptions", f"{key} is no key of a permission: NSCameraUsageDescription, say")
    if settings.is_archived or not config.text("ipa", ""):
        return settings
    known = backend.domain or ("" if backend.unique_names else f"{backend.app}.fly.dev")
    url = f"https://{known}" if known else None
    problems, sha256 = inspect(settings, release, url, folder)
    _refuse(config, "ipa", problems)
    return replace(settings, sha256=sha256)


def _launch(config: StackConfig, release: Release, ios: IosSettings, folder: Path) -> LaunchSettings:
    features, problems = smoke_test.read_plan(folder / config.text("smokeTest", PLAN))
    _refuse(config, "smokeTest", problems)
    test = SmokeTest(
        features=features,
        testers=[tester.email for tester in ios.testers],
        sign_offs=config.nested("signOffs"),
    )
    for place, problem in test.problems() if features else ():
        config.refuse(f"signOffs.{place}", problem)
    waivers = {}
    for row, given in config.nested("waivers").items():
        waivers[row] = Waiver(reason=given.get("reason", ""), by=given.get("by", ""))
        if row not in {each.key for each in ROWS}:
            config.refuse(
                f"waivers.{row}", f"is no row of the checklist; there are {', '.join(each.key for each in ROWS)}"
            )
        if set(given) != {"reason", "by"} or not all(given.values()):
            config.refuse(f"waivers.{row}", "needs a `reason` and, in `by`, the name of who takes it upon them")
    earlier = {}
    for label, said in config.table("earlierReleases").items():
        told = EARLIER.fullmatch(said)
        earlier[label] = (told and told["why"]) or ""
        if not told:
            config.refuse(f"earlierReleases.{label}", f"must be 'launched' or 'withdrawn: WHY', not {said!r}")
        if label == release.label:
            config.refuse(f"earlierReleases.{label}", "is this release, solos:label: take it out, or change the label")
    settings = LaunchSettings(
        smoke_test=test,
        waivers=waivers,
        declared_by=config.text("declaredBy", ""),
        withdrawn=config.text("withdrawn", ""),
        earlier=earlier,
    )
    if settings.withdrawn and not settings.declared_by:
        config.refuse(
            "withdrawn", "has nothing to withdraw: solos:declaredBy is empty; put back who declared the launch"
        )
    return settings


def inspect(settings: IosSettings, release: Release, url: str | None, folder: Path) -> tuple[list[str], str]:
    """What is wrong with the IPA, and its SHA-256. Without a `url`, any backend it points at will do."""
    path = folder / settings.ipa
    expected = ipa_problems.Expected(
        bundle_id=settings.bundle_id,
        short_version=release.version,
        version=release.build,
        info={settings.api_key: url} if url else {},
        minimum_os=settings.minimum_os,
        usage_descriptions=settings.usage_descriptions,
        says_export_compliance=settings.uses_non_exempt_encryption is None,
    )
    try:
        found = ipa_problems.problems(ipa.inspect(path), expected)
        return [f"{settings.ipa}: {problem}" for problem in found], ipa.sha256(path)
    except ProviderError as error:
        return [str(error)], ""


def _refuse(config: StackConfig, key: str, problems: Iterable[str]) -> None:
    for problem in problems:
        config.refuse(key, problem)


def _place(fly_toml: Path, *path: str) -> str:
    lines = appconfig.line_numbers(fly_toml.read_text(encoding="utf-8"))
    line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)
    return f"{fly_toml.name}:{line}"
