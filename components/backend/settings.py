"""The settings of the backend: its configuration keys and fly.toml, checked against each other."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from components.backend import database, fly_toml, image_build
from components.backend.database import DatabaseSettings
from components.backend.environment import Contract, read_contract
from components.backend.image_build import ImageBuildSettings
from components.config import Confidential, SettingProblem, SettingText, StackConfig
from providers.fly import appconfig, certificate
from providers.fly.app import name_problems, org_problems
from providers.fly.appconfig import AppConfig
from providers.fly.image import ImageArgs, ImageProvider

SUFFIX_LENGTH = 7
"""Number of characters that `uniqueNames` adds to the app's name: a hyphen and six random ones."""

NO_APP = SettingText("app", "is missing", remedy="set it, or the `app` of fly.toml")
WILDCARD = SettingText("domain", "{domain} is a wildcard", remedy="set the hostname that the app calls")


class BackendSettings(Confidential, frozen=True, kw_only=True):
    org: str
    app: str
    unique_names: bool
    image: str
    image_build: ImageBuildSettings | None
    fly_toml: AppConfig
    machine_name: str
    replace_machine: bool
    """Whether the machine may be replaced, which is an outage; for one change only."""
    database: DatabaseSettings
    contract: Contract
    given_secrets: Mapping[str, str]
    domain: str
    """The custom hostname; empty when clients use `<app>.fly.dev`."""
    wait_for_domain: int
    """Seconds."""
    health_path: str
    expect_body: str | None

    @property
    def region(self) -> str:
        return self.fly_toml.primary_region or ""

    @property
    def longest_name(self) -> str:
        """A name of the maximum length that the app's name can have, to check it against limits."""
        return self.app + "x" * SUFFIX_LENGTH * self.unique_names

    @property
    def known_url(self) -> str | None:
        """The URL of the backend, when it is known before anything is created."""
        if self.domain:
            return f"https://{self.domain}"
        return None if self.unique_names else f"https://{self.app}.fly.dev"

    @property
    def database_file(self) -> str | None:
        """Path of the SQLite file on its volume; None without a volume."""
        mount, path = self.fly_toml.mount, PurePosixPath(self.fly_toml.env.get("DATABASE_PATH", "/"))
        is_on_volume = mount is not None and path.is_relative_to(mount.destination)
        return str(path.relative_to(mount.destination)) if mount and is_on_volume else None

    @property
    def has_replica(self) -> bool:
        """Whether Litestream has a bucket to replicate the database to."""
        return "BUCKET_NAME" in self.given_secrets


def read_backend(config: StackConfig, folder: Path, passed: tuple[str, ...]) -> BackendSettings:
    """The settings, with the fly.toml in the project `folder`; problems are added to `config`."""
    app_config = appconfig.load(folder / config.text("flyToml"))
    image, file = config.text("image"), config.text("environment")
    secrets = config.secrets("secrets")
    contract, contract_problems = read_contract(folder / file, file)
    settings = BackendSettings(
        org=config.text("org"),
        app=config.optional("app") or app_config.app or "",
        unique_names=config.flag("uniqueNames"),
        image=image,
        image_build=image_build.read(config, image, folder, passed),
        fly_toml=app_config,
        machine_name=config.text("machine"),
        replace_machine=config.flag("replaceMachine"),
        database=database.read(config, secrets.get("DATABASE_URL", "")),
        contract=contract,
        given_secrets=secrets,
        domain=config.optional("domain"),
        wait_for_domain=config.whole("waitForDomain"),
        health_path=config.optional("healthPath") or fly_toml.health_path(app_config),
        expect_body=config.optional("expectBody") or None,
    )
    _check_names(config, settings)
    _check_fly_toml(config, settings)
    if file:
        for problem in contract_problems or contract.secret_problems(settings.given_secrets, settings.database.kind):
            config.refuse(problem)
    return settings


def _check_names(config: StackConfig, settings: BackendSettings) -> None:
    if settings.org:
        config.refuse_all("org", org_problems(settings.org))
    if not settings.app and settings.fly_toml.is_sound("app"):
        config.refuse(NO_APP())
    elif settings.app:
        config.refuse_all("app", name_problems(settings.longest_name))
    if settings.image:
        config.refuse_all("image", ImageProvider().validate(ImageArgs(reference=settings.image), None))
    if settings.domain:
        config.refuse_all("domain", certificate.problems(settings.domain))
        if settings.domain.startswith("*."):
            config.refuse(WILDCARD(domain=settings.domain))


def _check_fly_toml(config: StackConfig, settings: BackendSettings) -> None:
    """Check fly.toml, also against the rest of the settings. Of what cannot be read, only that is reported."""
    if config.refused("flyToml"):
        return
    read, kind = settings.fly_toml, settings.database.kind
    for problem in read.problems:
        config.refuse(SettingProblem(fly_toml.FILE, problem.message, problem.remedy, place=problem.key))
    for found in fly_toml.problems(read, kind, settings.health_path):
        config.refuse(found)
    if read.is_sound("env"):
        for found in settings.contract.env_problems(read.env, kind, lambda name: read.place("env", name)):
            config.refuse(found)
