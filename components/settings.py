"""The settings of a launch: stack configuration and fly.toml, as typed values.

They are read completely before any resource is declared, because the engine shows only the first resource with wrong inputs.
What one resource accepts is checked by its own provider, so each rule is written once. Reading files is the only side effect.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from components.backend.settings import BackendSettings, read_backend
from components.command import read_passed
from components.config import SettingProblem, StackConfig
from components.launch.settings import LaunchSettings, read_launch
from components.monitoring.settings import MonitoringSettings, read_monitoring
from components.release import Release, read_release
from components.stack_file import problems as stack_file_problems
from components.testflight.settings import IosSettings, read_ios

ENDPOINTS = ("fly", "flyPlatform", "appstore", "registry", "proxy", "betterStack")
CREDENTIALS = ("flyApiToken", "ascKeyId", "ascIssuerId", "ascPrivateKey", "betterStackApiToken")


class BadSettings(Exception):
    """The settings have `problems`. `settings` contains what could be read despite them."""

    def __init__(self, problems: Sequence[SettingProblem], settings: "Settings", project: str) -> None:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem.in_project(project)}" for problem in problems)
        super().__init__(f"the settings have {count}; nothing was changed:\n{lines}")
        self.problems = tuple(problems)
        self.settings = settings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    release: Release
    backend: BackendSettings
    monitoring: MonitoringSettings | None
    ios: IosSettings
    launch: LaunchSettings
    protect: bool
    simulated: Sequence[str]
    """The vendors' APIs that test doubles stand in for, by their name in `endpoints`; empty for a real launch."""

    def report_input(self) -> str:
        """What a report needs beside the resources: JSON after a word, because the CLI shows a text that is JSON in many lines."""
        needed = {
            "label": self.release.label,
            "smokeTest": self.launch.smoke_test.summary(),
            "declaredBy": self.launch.declared_by,
            "waivers": {row: asdict(waiver) for row, waiver in self.launch.waivers.items()},
            "simulated": list(self.simulated),
        }
        return f"json {json.dumps(needed)}"


def read(
    values: Mapping[str, str],
    secret_keys: Collection[str],
    folder: Path,
    project: str,
    stack_file: Path | None = None,
) -> Settings:
    """The settings of a stack of `project` with the configuration `values`, and the files of the project in `folder`. Raises BadSettings.

    `values` include the defaults of Pulumi.yaml, which the engine adds. `stack_file` is the file that the other values are from.
    """
    config = StackConfig(values, secret_keys, project)
    release = read_release(config)
    passed = read_passed(config)
    backend = read_backend(config, folder, passed)
    ios = read_ios(config, release, passed)
    settings = Settings(
        release=release,
        backend=backend,
        monitoring=read_monitoring(config, backend.longest_name, backend.region),
        ios=ios,
        launch=read_launch(config, release, ios, backend.image, folder),
        protect=config.flag("protect"),
        simulated=sorted(config.table("endpoints", ENDPOINTS)),
    )
    config.optional("credentialsFile")
    for key in CREDENTIALS:
        config.secret(key)
    config.refuse_unread()
    config.refuse_misspelt()
    for problem in stack_file_problems(stack_file, project) if stack_file else ():
        config.refuse(problem)
    if config.problems:
        raise BadSettings(config.problems, settings, project)
    return settings
