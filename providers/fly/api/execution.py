"""Commands inside a running machine, over the API's `exec`: no network to the machine is needed (fly.md, section 6.2)."""

from collections.abc import Sequence

from providers.errors import ProviderError
from providers.fly.api.client import Fly

MOST_SECONDS = 60
"""What Fly allows."""


class CommandFailed(ProviderError):
    """The command ended with another code than 0; the text says which, and its last line."""

    __module__ = "builtins"


def execute(fly: Fly, app: str, machine_id: str, command: Sequence[str], *, repeatable: bool = True) -> str:
    """What the command printed. Raises CommandFailed.

    `repeatable` says that running it twice does no harm: then a lost answer is asked for again.
    """
    answer = fly.call(
        "POST",
        f"/apps/{app}/machines/{machine_id}/exec",
        doing=f"run {command[0]} in the machine {machine_id} of {app!r}",
        body={"command": list(command), "timeout": MOST_SECONDS},
        safe=repeatable,
        attempt_seconds=MOST_SECONDS + 10,
    )
    if answer.get("exit_code"):
        lines = (answer.get("stderr") or answer.get("stdout") or "no output").strip().splitlines()
        raise CommandFailed(
            f"{command[0]} in the machine {machine_id} of {app!r} ended with code {answer['exit_code']}: {lines[-1][:300]}"
        )
    return str(answer.get("stdout") or "")
