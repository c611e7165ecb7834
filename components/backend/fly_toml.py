"""Checks of fly.toml beyond its syntax: that it describes one machine for this server, with this database."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from components.backend.environment import Database
from components.config import SettingProblem, SettingText
from providers.fly import appconfig
from providers.fly.appconfig import AppConfig
from providers.fly.volume import VolumeArgs, VolumeProvider

FILE = "fly.toml"
NO_REGION = SettingText(FILE, "primary_region is missing", remedy="set the region of the machine and its volume")
NO_HEALTH_CHECK = SettingText(
    FILE, "an http_service.checks with a path is missing", remedy="add one: it is how a release is verified"
)
OTHER_PORT = SettingText(
    FILE,
    "internal_port is {port}, but the server listens on {listens}, the PORT of [env]",
    remedy="set both to the same port",
)
TOO_MANY_MACHINES = SettingText(
    FILE,
    "min_machines_running is {wanted}, but v0 runs on one machine",
    remedy="set it to 1 (see infra-docs/SCALING.md)",
)
VOLUME_WITH_POSTGRES = SettingText(
    FILE,
    "[[mounts]] is only for SQLite, but solos:database.kind is postgres",
    remedy="remove it; if the volume has rows, read infra-docs/SCALING.md, step 3, first",
)
NO_VOLUME = SettingText(
    FILE, "[[mounts]] is missing", remedy="add it: without a volume the SQLite rows are lost at the next deploy"
)
NOT_ON_VOLUME = SettingText(
    FILE,
    "DATABASE_PATH is {path}, which is not on the volume at {mount}",
    remedy="move it there: otherwise the rows are lost at the next deploy",
)


def health_path(fly_toml: AppConfig) -> str:
    """The path of the first HTTP check; empty when there is none."""
    checks = (check for service in fly_toml.config.get("services", ()) for check in service.get("checks", ()))
    return next((str(check["path"]) for check in checks if check.get("path")), "")


def place(file: Path, *path: str) -> str:
    """`fly.toml:LINE` of the key at `path`, or of the innermost table around it that exists."""
    lines = appconfig.line_numbers(file.read_text(encoding="utf-8"))
    line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)
    return f"{file.name}:{line}"


def problems(fly_toml: AppConfig, file: Path, database: Database) -> Iterator[SettingProblem]:
    """What is wrong with a fly.toml that parses. `file` is where it was read from."""
    if not fly_toml.primary_region:
        yield NO_REGION(place=place(file))
    if not health_path(fly_toml):
        yield NO_HEALTH_CHECK(place=place(file, "http_service"))
    for service in fly_toml.config.get("services", ()):
        port, listens = service.get("internal_port"), fly_toml.env.get("PORT")
        if listens and port and listens != str(port):
            yield OTHER_PORT(place=place(file, "http_service", "internal_port"), port=port, listens=listens)
        wanted = service.get("min_machines_running", 0)
        if wanted > 1:
            yield TOO_MANY_MACHINES(place=place(file, "http_service", "min_machines_running"), wanted=wanted)
    if database == "postgres":
        if fly_toml.mount:
            yield VOLUME_WITH_POSTGRES(place=place(file, "mounts[0]"))
    else:
        yield from _volume_problems(fly_toml, file)


def _volume_problems(fly_toml: AppConfig, file: Path) -> Iterator[SettingProblem]:
    mount = fly_toml.mount
    if mount is None:
        yield NO_VOLUME(place=place(file))
        return
    path = PurePosixPath(fly_toml.env.get("DATABASE_PATH", "/"))
    if not path.is_relative_to(mount.destination):
        yield NOT_ON_VOLUME(place=place(file, "env", "DATABASE_PATH"), path=path, mount=mount.destination)
    volume = VolumeArgs(
        app=fly_toml.app or "",
        name=mount.source,
        region=fly_toml.primary_region or "",
        size_gb=mount.initial_size_gb,
        snapshot_retention=mount.snapshot_retention,
    )
    for problem in VolumeProvider().validate(volume, None):
        yield SettingProblem(FILE, f"[mounts] {problem}", place=place(file, "mounts[0]"))
