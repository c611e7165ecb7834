"""Commands in a running machine, by the API's `exec`: they need no network access to the machine."""

from collections.abc import Sequence

import msgspec

from providers.errors import ErrorText, ProviderError
from providers.fly.api.client import Fly
from providers.fly.api.machines import path

MAX_SECONDS = 30
"""Fly cuts a command at about 30 s, whatever timeout it accepts (https://github.com/OpenRouterLabs/spawn/issues/1623). What takes
longer runs in the background, and another command looks for its result."""


class CommandFailed(ProviderError):
    """The command ended with an exit code other than 0; the text has the code and the last line."""

    __module__ = "builtins"


FAILED = ErrorText("{command} in machine {id} of app {app} ended with code {code}: {line}", error=CommandFailed)


class _ExecResponse(msgspec.Struct):
    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""


def execute(fly: Fly, app: str, machine_id: str, command: Sequence[str]) -> str:
    """What the command printed. The command must be idempotent: it is repeated after a lost response. Raises CommandFailed."""
    response = fly.call(
        "POST",
        f"{path(app, machine_id)}/exec",
        doing=f"run {command[0]} in machine {machine_id} of app {app}",
        shape=_ExecResponse,
        body={"command": list(command), "timeout": MAX_SECONDS},
        safe=True,
        attempt_seconds=MAX_SECONDS + 10,
    )
    if response.exit_code:
        lines = (response.stderr or response.stdout or "no output").strip().splitlines()
        raise FAILED(command=command[0], id=machine_id, app=app, code=response.exit_code, line=lines[-1][:300])
    return response.stdout
