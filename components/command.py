"""The team's own commands, `archive` and `imageBuild`: what they get from the environment, and where their output goes.

They run with a clean environment. Without that, they would inherit the credentials of `pulumi up`, and so would every script and
package that a build runs. Their output goes to a log file: in the state it would be readable, and can be megabytes long.
"""

from typing import Any

from pulumi_command import local

from components.config import SettingText, StackConfig

PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "DEVELOPER_DIR")
"""What every command gets, besides the variables that its own setting documents."""
CREDENTIALS = ("FLY_", "ASC_", "BETTERSTACK_", "PULUMI_", "AWS_")
"""Prefixes of the variables that commands do not get."""
SHOWN_LINES = 20
"""Lines of the log that are shown when a command fails."""

NOT_A_NAME = SettingText("passEnvironment", "{name!r} is not the name of an environment variable")
IS_CREDENTIAL = SettingText(
    "passEnvironment",
    "{name} is a credential of this launch, which commands do not get",
    remedy="give the command its own credential, under another name",
)


def read_passed(config: StackConfig) -> tuple[str, ...]:
    """All variables that commands get: PASSED, and those of `passEnvironment`. Problems are added to `config`."""
    names = config.optional("passEnvironment").split()
    for name in names:
        if not (name.isascii() and name.isidentifier()):
            config.refuse(NOT_A_NAME(name=name))
        elif name.startswith(CREDENTIALS):
            config.refuse(IS_CREDENTIAL(name=name))
    return (*PASSED, *(name for name in names if name not in PASSED))


def options(passed: tuple[str, ...], environment: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a `local.Command` that gets the variables `passed`, those of `environment`, and no others."""
    kept = " ".join(f'${{{name}+"{name}=${name}"}}' for name in (*passed, *environment))
    return {
        "interpreter": ["/bin/sh", "-c", f'exec env -i {kept} /bin/sh -c "$1"', "sh"],
        "environment": environment,
        # The plugin would pass the output as environment variables, and those have a limit of 128 KiB each.
        "add_previous_output_in_env": False,
        "logging": local.Logging.STDERR,
    }


def logged(command: str, log: str) -> str:
    """A script that runs `command` with its output in the file `log`, which is a shell expression. Its end is shown on failure."""
    return (
        f'mkdir -p "$(dirname {log})" && echo "the log is" {log} >&2\n'
        f"( {command}\n) >{log} 2>&1 || {{ code=$?; tail -n {SHOWN_LINES} {log} >&2; exit $code; }}"
    )
