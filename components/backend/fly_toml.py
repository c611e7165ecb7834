"""Checks of fly.toml beyond its syntax: that it describes one machine for this server, with this database."""

import base64
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from components.backend.environment import Database
from components.config import SettingProblem, SettingText
from providers.fly.appconfig import AppConfig
from providers.fly.volume import VolumeArgs, VolumeProvider

FILE = "fly.toml"
SERVICES = ("http_service", "services", "checks")
MOUNTS = ("mount", "mounts")
LITESTREAM = "litestream.yml"
REPLICATED = r"(?m)^\s*- path:\s*(\S+)"
"""The databases in Litestream's configuration; the path of a replica is not an item of a list."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
NO_REGION = SettingText(FILE, "primary_region is missing", remedy="set the region of the machine and its volume")
NO_SERVICE = SettingText(
    FILE,
    "there is neither [http_service] nor [[services]], so the server has no public address",
    remedy="add [http_service], with internal_port and a check; a worker that serves no HTTP is launched with `fly deploy`, not here",
)
NO_HEALTH_CHECK = SettingText(
    FILE,
    "there is no HTTP check with a path on the port of a service, and a release is verified by its response to one",
    remedy="add [[{section}]] with a path, or set `healthPath`, which is then requested at the public address only",
)
OTHER_PORT = SettingText(
    FILE,
    "internal_port is {port}, but the server listens on {listens}, the PORT of [env]",
    remedy="set both to the same port",
)
RELEASE_COMMAND_ON_SQLITE = SettingText(
    FILE,
    "release_command runs in a machine of its own, without the volume at {mount}, so it would not reach the SQLite database",
    remedy="run that command when the server starts, before it listens, and leave it out here",
)
TOO_MANY_MACHINES = SettingText(
    FILE,
    "min_machines_running is {wanted}, but the backend runs on one machine",
    remedy="set it to 1 (see infra-docs/SCALING.md)",
)
NOT_REACHABLE = SettingText(
    FILE,
    "HOST of [env] is {host}, and Fly's proxy does not connect over loopback",
    remedy='set it to "0.0.0.0"',
)
NEVER_STARTED = SettingText(
    FILE,
    "Fly stops an idle machine (auto_stop_machines is {stop}), and nobody starts it again: auto_start_machines is false",
    remedy='set auto_stop_machines to "off", or auto_start_machines to true',
)
VOLUME_WITH_POSTGRES = SettingText(
    FILE,
    "[[mounts]] is only for SQLite, but `database.kind` is postgres",
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


OTHER_REPLICA = SettingText(
    FILE,
    "{file} replicates {path}, and DATABASE_PATH is {database}",
    remedy="write `path: ${{DATABASE_PATH}}` there: otherwise the database has no replica, or Litestream stops the server's boot",
)


def health_path(fly_toml: AppConfig) -> str:
    """The path of the first HTTP check of a service, or of [checks] on the port of a service; empty when there is none."""
    config = fly_toml.config
    services = config.get("services", ())
    ports = {service.get("internal_port") for service in services}
    checks = [check for service in services for check in service.get("checks", ())]
    checks += [check for check in config.get("checks", {}).values() if check.get("port") in ports]
    return next((str(check["path"]) for check in checks if check["type"] == "http" and check.get("path")), "")


def problems(fly_toml: AppConfig, database: Database, health_path: str) -> Iterator[SettingProblem]:
    """What is wrong with the sound parts of a fly.toml. `health_path` is what a release is verified by; empty if nothing is known."""
    if not fly_toml.primary_region and fly_toml.is_sound("primary_region"):
        yield NO_REGION(place=fly_toml.place())
    if fly_toml.is_sound(*SERVICES):
        yield from _service_problems(fly_toml, health_path)
    if (host := fly_toml.env.get("HOST", "")) in LOOPBACK:
        yield NOT_REACHABLE(place=fly_toml.place("env", "HOST"), host=host)
    if not fly_toml.is_sound(*MOUNTS):
        return
    if database == "postgres":
        if fly_toml.mount:
            yield VOLUME_WITH_POSTGRES(place=fly_toml.place("mounts"))
    elif database == "sqlite":
        yield from _volume_problems(fly_toml)


def _service_problems(fly_toml: AppConfig, health_path: str) -> Iterator[SettingProblem]:
    services = list(zip(fly_toml.service_paths, fly_toml.config.get("services", ()), strict=True))
    if not services:
        yield NO_SERVICE(place=fly_toml.place())
        return
    first, listens = services[0], fly_toml.env.get("PORT")
    if not health_path:
        section = "http_service.checks" if first[0] == "http_service" else "services.http_checks"
        yield NO_HEALTH_CHECK(place=fly_toml.place(first[0]), section=section)
    ports = [service.get("internal_port") for _, service in services]
    if listens and listens not in map(str, ports):
        yield OTHER_PORT(place=fly_toml.place(first[0], "internal_port"), port=ports[0], listens=listens)
    for path, service in services:
        wanted = service.get("min_machines_running", 0)
        if wanted > 1:
            yield TOO_MANY_MACHINES(place=fly_toml.place(path, "min_machines_running"), wanted=wanted)
        stop = service.get("autostop") or "off"
        if stop != "off" and service.get("autostart") is False and not wanted:
            yield NEVER_STARTED(place=fly_toml.place(path, "auto_start_machines"), stop=stop)


def _volume_problems(fly_toml: AppConfig) -> Iterator[SettingProblem]:
    mount = fly_toml.mount
    if mount is None:
        yield NO_VOLUME(place=fly_toml.place())
        return
    if fly_toml.release:
        yield RELEASE_COMMAND_ON_SQLITE(place=fly_toml.place("deploy", "release_command"), mount=mount.destination)
    path = PurePosixPath(fly_toml.env.get("DATABASE_PATH", "/"))
    if fly_toml.is_sound("env") and not path.is_relative_to(mount.destination):
        yield NOT_ON_VOLUME(place=fly_toml.place("env", "DATABASE_PATH"), path=path, mount=mount.destination)
    for replicated in _replicated(fly_toml) if fly_toml.is_sound("env", "files") else ():
        if replicated not in ("${DATABASE_PATH}", str(path)):
            yield OTHER_REPLICA(place=fly_toml.place("files"), file=LITESTREAM, path=replicated, database=path)
    volume = VolumeArgs(
        app=fly_toml.app or "",
        name=mount.source,
        region=fly_toml.primary_region or "",
        size_gb=mount.initial_size_gb,
        snapshot_retention=mount.snapshot_retention,
    )
    for problem in VolumeProvider().validate(volume, None):
        yield SettingProblem(FILE, f"[mounts] {problem}", place=fly_toml.place("mounts"))


def _replicated(fly_toml: AppConfig) -> list[str]:
    """The databases that Litestream replicates, by the configuration among the files of the machine."""
    files = [file for file in fly_toml.config.get("files", ()) if file["guest_path"].endswith(f"/{LITESTREAM}")]
    texts = [base64.b64decode(file.get("raw_value", "")).decode(errors="replace") for file in files]
    return [path.strip("\"'") for text in texts for path in re.findall(REPLICATED, text)]
