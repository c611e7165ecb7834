"""`command:local:Command`, with the semantics of pulumi-command 1.2.1.

A changed input runs `update`, or `create` if there is none; a changed trigger replaces. Asset and archive paths are refused.
"""

import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

from rehearsal.engine.plugins import Diff, StepFailed
from rehearsal.engine.values import Properties, difference

TYPE = "command:local:Command"
INPUTS = {
    *("create", "update", "delete", "dir", "environment", "stdin", "interpreter", "triggers"),
    *("logging", "addPreviousOutputInEnv"),
}
LOGGED = {
    "none": (),
    "stdout": ("stdout",),
    "stderr": ("stderr",),
    "stdoutAndStderr": ("stdout", "stderr"),
}


class CommandPlugin:
    """Runs commands in the folder of the project. `log` gets the URN and each line of output."""

    def __init__(self, folder: Path, log: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._log = log

    def check(self, urn: str, olds: Properties, news: Properties) -> tuple[Properties, list[str]]:
        return news, [f"the embedded engine does not serve {key} of {TYPE}" for key in sorted(news.keys() - INPUTS)]

    def diff(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Diff:
        changed = sorted({path.partition(".")[0].partition("[")[0] for path, _, _ in difference(old_inputs, news)})
        return Diff(bool(changed), [key for key in changed if key == "triggers"])

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        return f"{urn.rpartition('::')[2]}{uuid.uuid4().hex[:8]}", self._run(urn, inputs, "create", {})

    def update(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Properties:
        return self._run(urn, news, "update" if news.get("update") else "create", olds)

    def read(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> tuple[str, Properties, Properties]:
        return id, inputs, outputs

    def delete(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> None:
        self._run(urn, inputs, "delete", outputs)

    def close(self) -> None:
        pass

    def _run(self, urn: str, inputs: Properties, which: str, before: Properties) -> Properties:
        script = inputs.get(which)
        if not script:
            return {**inputs, "stdout": before.get("stdout", ""), "stderr": before.get("stderr", "")}
        environment = {**os.environ, **(inputs.get("environment") or {})}
        if before and inputs.get("addPreviousOutputInEnv", True):
            environment["PULUMI_COMMAND_STDOUT"] = before.get("stdout", "")
            environment["PULUMI_COMMAND_STDERR"] = before.get("stderr", "")
        try:
            done = subprocess.run(
                [*(inputs.get("interpreter") or ["/bin/sh", "-c"]), script],
                cwd=self._folder / inputs.get("dir", "."),
                env=environment,
                input=inputs.get("stdin", ""),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise StepFailed(f'{error.strerror or error}: running "{script}"') from None
        if done.returncode:
            output = "\n".join(text for text in (done.stdout.strip(), done.stderr.strip()) if text)
            raise StepFailed(f'exit status {done.returncode}: running "{script}":\n{output}')
        for stream in LOGGED[inputs.get("logging") or "stdoutAndStderr"]:
            for line in getattr(done, stream).splitlines():
                self._log(urn, line)
        return {**inputs, "stdout": done.stdout.removesuffix("\n"), "stderr": done.stderr.removesuffix("\n")}
