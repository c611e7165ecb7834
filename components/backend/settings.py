"""What a stack says about its backend: its keys in the configuration, and fly.toml, checked against each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from components.backend import database, environment, image_build
from components.backend.database import DatabaseSettings
from components.backend.image_build import ImageBuildSettings
from components.config import StackConfig
from providers.fly import appconfig, certificate
from providers.fly.app import AppArgs, AppProvider
from providers.fly.appconfig import AppConfig
from providers.fly.image import ImageArgs, ImageProvider
from providers.fly.volume import VolumeArgs, VolumeProvider

SUFFIX_LENGTH = 7
"""Number of characters that `uniqueNames` adds to the app's name: a hyphen and six random ones."""


@dataclass(frozen=True, kw_only=True)
class BackendSettings:
    org: str
    app: str
    unique_names: bool
    image: str
    image_build: ImageBuildSettings | None
    fly_toml: AppConfig
    machine_name: str
    database: DatabaseSettings
    given_secrets: Mapping[str, str] = field(repr=False)
    domain: str
    """Hostname of the team's own; empty when `<app>.fly.dev` will do."""
    wait_for_domain: int
    health_path: str
    expect_body: str | None

    @property
    def region(self) -> str:
        return self.fly_toml.primary_region or ""

    @property
    def longest_name(self) -> str:
        """As long as the app's name can become."""
        return self.app + "x" * SUFFIX_LENGTH * self.unique_names

    @property
    def has_replica(self) -> bool:
        """Whether Litestream is given a bucket to replicate the database to."""
        return "BUCKET_NAME" in self.given_secrets


def read_backend(config: StackConfig, fly_toml: AppConfig, path: Path) -> BackendSettings:
    """The settings; what is wrong with them is noted in `config`."""
    image = config.text("image")
    backend = BackendSettings(
        org=config.text("org"),
        app=config.text("app", fly_toml.app or ""),
        unique_names=config.flag("uniqueNames", default=False),
        image=image,
        image_build=image_build.read(config, image, path.parent),
        fly_toml=fly_toml,
        machine_name=config.text("machine", "solserver"),
        database=database.read(config),
        given_secrets=config.table("secrets"),
        domain=config.text("domain", ""),
        wait_for_domain=config.whole("waitForDomain", 0),
        health_path=_health_path(fly_toml),
        expect_body=config.text("expectBody", "") or None,
    )
    if not backend.app:
        config.refuse("app", "is missing, and fly.toml names none")
    else:
        config.refuse_all("app", AppProvider().validate(AppArgs(name=backend.longest_name, org=backend.org), None))
    if backend.image:
        config.refuse_all("image", ImageProvider().validate(ImageArgs(reference=backend.image), None))
    if backend.domain:
        config.refuse_all("domain", certificate.problems(backend.domain))
        if backend.domain.startswith("*."):
            config.refuse("domain", f"{backend.domain} stands for many: name the one that the phones ask")
    if backend.given_secrets and not config.is_secret("secrets"):
        config.refuse("secrets", "is readable by everybody; set each value with `pulumi config set --secret --path`")
    kind = backend.database.kind
    if not fly_toml.problems:
        config.problems += _machine_problems(fly_toml, path, kind)
    for source, name, problem in environment.problems(fly_toml.env, backend.given_secrets, kind):
        if source == "given":
            config.refuse(f"secrets.{name}", problem)
        elif not fly_toml.problems:
            config.problems.append(f"{_place(path, 'env', name)}: [env] {name} {problem}")
    return backend


def _machine_problems(fly_toml: AppConfig, path: Path, kind: environment.Database) -> Iterable[str]:
    """What is wrong with a fly.toml that is well formed, but not the machine of a server with that database."""
    if not fly_toml.primary_region:
        yield f"{path.name}:1: primary_region is missing: it is where the machine and its volume are"
    if not _health_path(fly_toml):
        yield f"{_place(path, 'http_service')}: an http_service.checks with a path is missing: a release is verified by it"
    for service in fly_toml.config.get("services", ()):
        port, listened = service.get("internal_port"), fly_toml.env.get("PORT")
        if listened and port and listened != str(port):
            place = _place(path, "http_service", "internal_port")
            yield f"{place}: internal_port {port} is not where the server listens: [env] PORT is {listened}, say the same twice"
        wanted = service.get("min_machines_running", 0)
        if wanted > 1:
            place = _place(path, "http_service", "min_machines_running")
            yield f"{place}: {wanted} machines are not there to run: v0 has one (infra-docs/SCALING.md), say 1"
    mount = fly_toml.mount
    if kind == "postgres":
        if mount:
            yield (
                f"{_place(path, 'mounts[0]')}: [[mounts]] is for SQLite, and solos:database is postgres: take it out "
                "(with rows in it, read infra-docs/SCALING.md, step 3, first)"
            )
        return
    if mount is None:
        yield f"{path.name}:1: [[mounts]] is missing: SQLite needs a volume, or its rows go with each deploy"
        return
    database_path = PurePosixPath(fly_toml.env.get("DATABASE_PATH", "/"))
    if not database_path.is_relative_to(mount.destination):
        place = _place(path, "env", "DATABASE_PATH")
        yield f"{place}: DATABASE_PATH {database_path} is not on the volume at {mount.destination}: rows would go with each deploy"
    volume = VolumeArgs(
        app=fly_toml.app or "",
        name=mount.source,
        region=fly_toml.primary_region or "",
        size_gb=mount.initial_size_gb,
        snapshot_retention=mount.snapshot_retention,
    )
    for problem in VolumeProvider().validate(volume, None):
        yield f"{_place(path, 'mounts[0]')}: [mounts] {problem}"


def _health_path(fly_toml: AppConfig) -> str:
    checks = (check for service in fly_toml.config.get("services", ()) for check in service.get("checks", ()))
    return next((str(check["path"]) for check in checks if check.get("path")), "")


def _place(file: Path, *path: str) -> str:
    """`fly.toml:LINE` of the innermost of the tables and keys in `path` that is there."""
    lines = appconfig.line_numbers(file.read_text(encoding="utf-8"))
    line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)
    return f"{file.name}:{line}"
