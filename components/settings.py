"""The settings of a launch: stack configuration, fly.toml and the IPA as typed values, or everything that is wrong with them.

Everything is read at preview, before anything is declared, and refused at once: the engine shows only the first resource whose
inputs are wrong. What one resource accepts is asked of its own provider, so that it is said in one place. Pure but for reading
the files.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.backend.settings import BackendSettings, read_backend
from components.config import StackConfig
from components.launch.settings import LaunchSettings, read_launch
from components.monitoring.settings import MonitoringSettings, read_monitoring
from components.release import Release, read_release
from components.testflight.settings import IosSettings, read_ios
from providers.fly import appconfig

ENDPOINTS = ("fly", "flyPlatform", "appstore", "registry", "proxy")
CREDENTIALS = ("flyApiToken", "ascKeyId", "ascIssuerId", "ascPrivateKey")


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
    fly_toml = appconfig.load(folder / "fly.toml")
    release = read_release(config)
    backend = read_backend(config, fly_toml, folder / "fly.toml")
    ios = read_ios(config, release, backend, folder)
    settings = Settings(
        release=release,
        backend=backend,
        monitoring=read_monitoring(config, backend.longest_name, backend.region),
        ios=ios,
        launch=read_launch(config, release, ios, folder),
        protect=config.flag("protect", default=True),
    )
    config.table("endpoints", ENDPOINTS)
    config.text("credentialsFile", "")
    for key in CREDENTIALS:
        config.secret(key)
    config.refuse_unread()
    problems = [*fly_toml.problems, *config.problems]
    if problems:
        raise BadSettings(problems, settings)
    return settings
