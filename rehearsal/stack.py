"""A stack of the program in a rehearsal: its file, its state, and the commands of either engine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from project.config import project_name
from project.crypter import Crypter
from project.files import BadProject, bad, is_committed, read_yaml, write_yaml
from rehearsal import processes
from rehearsal.doubles import Doubles

PASSPHRASE = "rehearsal"
ENGINES = ("embedded", "pulumi")
SALT = "v1:et4ZvF/snzs=:v1:qJRuQs6ToDukQaGs:HhJNg96c0CDMB3aH6hwD78je+ObNeA=="
"""The salt for PASSPHRASE. It is constant, so that a run can decrypt the state of an earlier one; no secret in it is real."""
REHEARSAL = Path("Pulumi.rehearsal.yaml")
FOREIGN = ("ASC_", "BETTERSTACK_", "FLY_", "PULUMI_")
"""Variables that name accounts and stacks of a person, or what one run is about (FLY_LOST, PULUMI_OPTION_TARGET), begin like this."""
INSTALLATION = frozenset({"PULUMI_HOME", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"})
"""Those of them that say how the CLI is installed."""


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what was exported for other stacks: a rehearsal is the same in every shell, and meets no vendor."""
    return {name: value for name, value in environment.items() if name in INSTALLATION or not name.startswith(FOREIGN)}


def rehearsal_file() -> Path:
    """The stack file of `make rehearse`, which belongs to SolOS. Raises BadProject in a project of another name that has none."""
    if not REHEARSAL.exists() and not is_committed(REHEARSAL):
        raise BadProject(
            f"{REHEARSAL} is missing: this rehearses the stack of that file; `make dress-rehearsal` rehearses Pulumi.prod.yaml"
        )
    return REHEARSAL


def installed_engine() -> str:
    """The Pulumi CLI if it is on PATH, else the embedded engine."""
    return "pulumi" if shutil.which("pulumi") else "embedded"


class RehearsalStack:
    """`config` is the content of the stack file, by key as Pulumi.yaml declares it, without the name of the project: `org`.

    The stack file is a copy with its own passphrase, without the values that are encrypted with another one.
    """

    def __init__(
        self, name: str, source: Path, folder: Path, engine: str, doubles: Doubles, *, inherits: Collection[int] = ()
    ) -> None:
        """`source` is a committed stack file, which is never changed; `folder` gets the copy and the state.

        `inherits` are file descriptors that stay open in the engine. Raises BadProject.
        """
        self.name = name
        self.engine = engine
        self.folder = folder
        self.file = folder / f"Pulumi.{name}.yaml"
        self._doubles = doubles
        self._inherits = inherits
        self._state = folder / "state"
        self._state.mkdir(parents=True, exist_ok=True)
        document = read_yaml(source)
        if not isinstance(document.get("config"), dict):
            raise bad(source, "has no `config:` with keys and values")
        self.project = project_name(Path())
        prefix = f"{self.project}:"
        self.config: dict[str, Any] = {key.removeprefix(prefix): value for key, value in document["config"].items()}
        self.removed_secrets: list[str] = _remove_secrets(self.config)
        """Paths of the values that are encrypted with the committed file's passphrase: `secrets.SESSION_SECRET`."""
        self._crypter = Crypter.of(SALT, PASSPHRASE)
        self._document = {**document, "encryptionsalt": SALT}
        self._environment = {
            **inherited(os.environ),
            **doubles.credentials,
            "PULUMI_BACKEND_URL": self._state.absolute().as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self.configure({})

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set keys, as a reviewed change of the stack file would; None removes one."""
        for key, value in changes.items():
            self.config.pop(key, None)
            if value is not None:
                self.config[key] = value
        config = {key if ":" in key else f"{self.project}:{key}": value for key, value in self.config.items()}
        write_yaml(self.file, {**self._document, "config": config})

    def encrypted(self, text: str) -> dict[str, str]:
        """A secret value in the form of a stack file."""
        return {"secure": self._crypter.encrypt(text)}

    def command(self, *operation: str) -> list[str]:
        """A command of the stack's engine, as a person would type it."""
        start = ["pulumi"] if self.engine == "pulumi" else [sys.executable, "-m", "rehearsal.engine"]
        return [*start, *operation, "--stack", self.name, "--config-file", str(self.file)]

    def run(
        self,
        operation: str,
        *options: str,
        on_line: Callable[[str], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run `up`, `refresh`, `destroy` …; returns the exit code. With `on_line` each line goes there, not to the terminal.

        Raises Interrupted and Killed.
        """
        self.select()
        command = self.command(operation, *([] if operation == "preview" else ["--yes"]), *options)
        return processes.run(
            command,
            {**self._environment, **(environment or {})},
            inherits=self._inherits,
            needs=self._doubles.process,
            on_line=on_line,
        )

    def select(self) -> None:
        """Remove the lock of a killed run; with the Pulumi CLI, create the stack if it does not exist.

        The CLI writes a new stack's salt to Pulumi.<stack>.yaml beside Pulumi.yaml, even with --config-file. So it runs in a
        temporary project here, and the committed file does not change. The lock is always stale: this process has locked the folder
        of the state.
        """
        locks = list((self._state / ".pulumi" / "locks").rglob("*.json"))
        if self.engine != "pulumi":
            for lock in locks:
                lock.unlink(
                    missing_ok=True
                )  # The killed process can look alive for a moment: nobody has reaped it yet.
            return
        project = self.folder / "project"
        project.mkdir(exist_ok=True)
        about = {"name": self.project, "runtime": "python"}
        write_yaml(project / "Pulumi.yaml", about)
        (project / f"Pulumi.{self.name}.yaml").unlink(missing_ok=True)
        self._output(["pulumi", "stack", "select", "--create", self.name, "--cwd", str(project)])
        if locks:
            self._output(["pulumi", "cancel", "--yes", "--stack", self.name, "--cwd", str(project)])

    def follow(self, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Replace the doubles' addresses in the state: `refresh` and `destroy` use the endpoints of the last `up`."""
        for path in (self._state / ".pulumi" / "stacks").rglob(f"{self.name}.json"):
            text = path.read_text(encoding="utf-8")
            for endpoint, url in before.items():
                text = text.replace(url, f"\0{endpoint}\0")  # in two steps: a new port can be the old port of another
            for endpoint, url in now.items():
                text = text.replace(f"\0{endpoint}\0", url)
            path.write_text(text, encoding="utf-8")

    def exported(self) -> str:
        """The state, as `pulumi stack export` prints it."""
        export = ["pulumi", "stack", "export", "--stack", self.name]
        return self._output(export if self.engine == "pulumi" else self.command("stack", "export"))

    def _output(self, command: list[str]) -> str:
        return subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def _remove_secrets(config: Any, prefix: str = "") -> list[str]:
    """Remove every encrypted value; returns the paths of the removed ones."""
    removed = []
    for key, value in list(config.items()):
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value.keys() == {"secure"}:
            removed.append(path)
            del config[key]
        elif isinstance(value, dict):
            removed += _remove_secrets(value, f"{path}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                removed += _remove_secrets(item, f"{path}[{index}].") if isinstance(item, dict) else []
    return removed
