"""A stack of the program in the hands of a rehearsal: its file, its state, and commands of either engine in processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from project.crypter import Crypter

PASSPHRASE = "rehearsal"
ENGINES = ("embedded", "pulumi")


def installed_engine() -> str:
    """The Pulumi CLI where it is installed, else the embedded one."""
    return "pulumi" if shutil.which("pulumi") else "embedded"


class Stack:
    """`config` is what the stack file says, by full key (`solos:org`)."""

    def __init__(self, name: str, source: Path, folder: Path, engine: str, credentials: Mapping[str, str]) -> None:
        """`source` is a committed stack file, of which `folder` gets a copy to be changed; it keeps the state too.

        Raises SystemExit with one line for a file that is no YAML.
        """
        self.name = name
        self.engine = engine
        self.file = folder / f"Pulumi.{name}.yaml"
        self._state = folder / "state"
        self._state.mkdir(parents=True, exist_ok=True)
        try:
            self._document: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise SystemExit(f"error: {source} is no YAML: {' '.join(str(error).split())}") from None
        self.config: dict[str, Any] = self._document["config"]
        self._environment = {
            **os.environ,
            **credentials,
            "PULUMI_BACKEND_URL": self._state.absolute().as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self.configure({})

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set keys, as a reviewed change of the stack file would; None takes one away."""
        for key, value in changes.items():
            self.config.pop(key, None)
            if value is not None:
                self.config[key] = value
        self.file.write_text(yaml.safe_dump(self._document), encoding="utf-8")

    def encrypted(self, text: str) -> dict[str, str]:
        """A secret value, as it stands in a stack file."""
        salt = self._document.get("encryptionsalt")
        crypter = Crypter.of(salt, PASSPHRASE) if salt else Crypter.new(PASSPHRASE)
        self._document["encryptionsalt"] = crypter.salt
        return {"secure": crypter.encrypt(text)}

    def command(self, *operation: str) -> list[str]:
        """A command of the stack's engine, as a person would type it."""
        start = ["pulumi"] if self.engine == "pulumi" else [sys.executable, "-m", "rehearsal.engine"]
        return [*start, *operation, "--stack", self.name, "--config-file", str(self.file)]

    def run(self, operation: str, *options: str, told: Callable[[str], None] | None = None) -> int:
        """`up`, `refresh`, `destroy` …; the exit code. With `told` each line is handed over instead of shown."""
        command = self.command(operation, *([] if operation == "preview" else ["--yes"]), *options)
        if self.engine == "pulumi":
            self._select()
        if told is None:
            return subprocess.run(command, env=self._environment, check=False).returncode
        with subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                told(line.rstrip("\n"))
        return process.returncode

    def _select(self) -> None:
        """Let the CLI know the stack. To a new one it writes a file of its own into the project, which nobody reads."""
        written = Path(f"Pulumi.{self.name}.yaml")
        was_there = written.exists()
        self.output_of(["pulumi", "stack", "select", "--create", self.name])
        if not was_there:
            written.unlink(missing_ok=True)

    def exported(self) -> str:
        """The state, as `pulumi stack export` prints it."""
        export = ["pulumi", "stack", "export", "--stack", self.name]
        return self.output_of(export if self.engine == "pulumi" else self.command("stack", "export"))

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        resources = json.loads(self.exported())["deployment"]["resources"]
        outputs: dict[str, Any] = next(each for each in resources if each["type"] == "pulumi:pulumi:Stack")["outputs"]
        return outputs

    def output_of(self, command: list[str]) -> str:
        return subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, text=True, check=True).stdout
