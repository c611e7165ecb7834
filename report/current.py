"""The state of a stack, with its settings as its files have them now.

The outputs of a stack are those of the last complete `up`. A sign-off, a waiver or a declaration that was written since counts as well.
"""

import json
from dataclasses import replace
from pathlib import Path

from components.settings import BadSettings, Settings
from components.settings import read as read_settings
from project.config import read_without_secrets
from report.source import exported, rehearsed_file
from report.state import StackState, read, read_input


def current(stack: str, config_file: Path | None = None) -> StackState:
    """The state of `stack`; where the current folder has no project, with the settings of the last complete `up`. Needs no passphrase.

    Raises BadProject, NotAState and NotFound.
    """
    state = read(json.loads(exported(stack)))
    if not Path("Pulumi.yaml").exists():
        return state
    settings = _settings(stack, config_file or rehearsed_file(stack))
    # Whether the resources are at test doubles was decided by the `up` that created them.
    return replace(state, inputs={**read_input(settings.report_input()), "simulated": state.inputs.get("simulated")})


def _settings(stack: str, config_file: Path | None) -> Settings:
    """The settings as far as they can be read: `pulumi preview` reports the problems."""
    files = read_without_secrets(Path.cwd(), stack, config_file)
    try:
        return read_settings(files.config, files.secret_keys, files.folder, files.project)
    except BadSettings as bad:
        return bad.settings
