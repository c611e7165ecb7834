"""The whole program in a test: its own project, a stack configuration, and commands of either engine as processes.

Neither is the repository's: a team edits those for its own app, and tests must not depend on them.
"""

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from project.crypter import Crypter
from project.files import read_yaml, write_yaml
from rehearsal.doubles import served
from rehearsal.endpoints import ENDPOINTS
from rehearsal.people import AppForm, People

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "registry.fly.io/solserver:1.0.0"
TEXTS = ("__main__.py", "Pulumi.yaml", "Pulumi.README.md")
FOLDERS = (
    "adoption",
    "checklist",
    "components",
    "project",
    "providers",
    "rehearsal",
    "report",
    "status",
    "infra-docs",
    "monitoring",
    "xcode",
)
"""The files and folders of the program."""
FLY_TOML = Path(__file__).with_name("fly.toml")
PASSPHRASE = "rehearsal"
SALT = "v1:et4ZvF/snzs=:v1:qJRuQs6ToDukQaGs:HhJNg96c0CDMB3aH6hwD78je+ObNeA=="
"""The salt of PASSPHRASE, from the Pulumi CLI."""
CONFIG: dict[str, Any] = {
    "org": "sol-labs",
    "app": "solos-rehearsal",
    "uniqueNames": "true",
    "image": IMAGE,
    "expectBody": '"1.0.0"',
    "bundleId": "com.sollabs.solos.rehearsal",
    "appName": "SolOS Rehearsal",
    "signing": {"certificate": "DISTRIBUTION"},
    "version": "1.0.0",
    "build": "0",
    "label": "v0",
    "ipa": ".rehearsal/solmobile.ipa",
    "archive": f"{sys.executable} -m rehearsal ipa",
    "waitForAppRecord": "60",
    "group": "Internal Testers",
    "testers": [
        {"email": "ada@sollabs.example", "firstName": "Ada", "lastName": "Ferreira"},
        {"email": "jun@sollabs.example", "firstName": "Jun", "lastName": "Mori"},
        {"email": "lena@sollabs.example", "firstName": "Lena", "lastName": "Okafor"},
    ],
    "feedbackEmail": "feedback@sollabs.example",
    "whatToTest": {"en-US": "The first build with the production backend. Please sign up and add a day."},
    "protect": "false",
}
"""A stack that can be launched, without the prefix of the project."""


def engine_config(values: Mapping[str, Any]) -> dict[str, str]:
    """Configuration as the engine passes it to the program: the defaults of Pulumi.yaml, and `values`, which lack the prefix
    `solos:`. Every value is a string; None removes a key."""
    config = _defaults() | {f"solos:{key}": value for key, value in values.items()}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
        if value is not None
    }


@functools.cache
def _defaults() -> dict[str, Any]:
    declared = read_yaml(ROOT / "Pulumi.yaml")["config"]
    return {f"solos:{key}": about["default"] for key, about in declared.items() if "default" in about}


@contextmanager
def doubles(folder: Path) -> Iterator[dict[str, str]]:
    """Addresses of doubles in their own process, with the state in `folder / "world"`."""
    with served(folder / "world") as there:
        yield there.addresses


def people(stack: "Stack", addresses: dict[str, str]) -> People:
    """The Account Holder and the testers of a stack."""
    config = stack.config
    form = AppForm(config["solos:bundleId"], config["solos:appName"], sku=config["solos:bundleId"])
    return People(addresses["control"], form, config["solos:testers"])


class Stack:
    """A stack with the configuration CONFIG and the endpoints of these doubles."""

    def __init__(self, folder: Path, addresses: dict[str, str], engine: str = "embedded") -> None:
        """`folder` has the state, and a copy of the project that a test can change."""
        self.folder = folder
        self.project = folder / "project"
        self._engine = engine
        self._file = self.project / "Pulumi.test.yaml"
        is_new = not self._file.exists()
        self._document = stack_file() if is_new else read_yaml(self._file)
        self.config: dict[str, Any] = self._document["config"]
        self.environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            # One that is set has the plugins, which a machine without a network cannot download.
            "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(folder / "home")),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **json.loads((folder / "world" / "credentials.json").read_text()),
        }
        self.text = ""
        if is_new:
            create_project(self.project)
        self.configure(endpoints={key: addresses[name] for key, name in ENDPOINTS.items()})
        if is_new and engine == "pulumi":
            (folder / "state").mkdir()
            assert self._command("pulumi", "stack", "init", "test") == 0, self.text

    def edit(self, name: str, before: str, after: str) -> None:
        """Replace a text that occurs once in a file of the project."""
        text = (self.project / name).read_text()
        assert text.count(before) == 1, f"{name} has {text.count(before)} times {before!r}"
        (self.project / name).write_text(text.replace(before, after))

    def remove_volume(self) -> None:
        """Leave no volume and no file for a database in fly.toml."""
        file = self.project / "fly.toml"
        without = re.sub(r"\[\[mounts\]\].*?(?=^\[)", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)
        file.write_text(re.sub(r".*DATABASE_PATH.*\n", "", without))

    def forget(self, name: str) -> None:
        """Remove a credential from the environment."""
        del self.environment[name]

    def give(self, name: str, value: str) -> None:
        """Add a credential to the environment."""
        self.environment[name] = value

    def configure(self, **changes: Any) -> None:
        """Set keys of the stack file, without `solos:`; None removes a key."""
        for key, value in changes.items():
            self.config.pop(f"solos:{key}", None)
            if value is not None:
                self.config[f"solos:{key}"] = value
        write_yaml(self._file, self._document)

    def run(self, operation: str, *options: str) -> int:
        """Run `preview`, `up`, `refresh` or `destroy`. Returns the exit code; the output is in `text`."""
        if self._engine == "pulumi":
            options = ("--non-interactive", "--diff", *options)
            start = ["pulumi"]
        else:
            start = [sys.executable, "-m", "rehearsal.engine"]
        confirmed = [] if operation == "preview" else ["--yes"]
        return self._command(*start, operation, *confirmed, *options, "--stack", "test")

    def state(self) -> str:
        """The state file."""
        return (self.folder / "state/.pulumi/stacks/solos/test.json").read_text()

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        (stack,) = (resource for resource in self.resources() if resource["type"] == "pulumi:pulumi:Stack")
        outputs: dict[str, Any] = stack["outputs"]
        return outputs

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the output of `pulumi stack export`."""
        export = [sys.executable, "-m", "rehearsal.engine", "stack", "export"]
        if self._engine == "pulumi":
            export = ["pulumi", "stack", "export"]
        assert self._command(*export, "--stack", "test") == 0, self.text
        resources: list[dict[str, Any]] = json.loads(self.text)["deployment"]["resources"]
        return resources

    def _command(self, *command: str) -> int:
        done = subprocess.run(
            command,
            cwd=self.project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.text = done.stdout
        return done.returncode


def create_project(folder: Path) -> None:
    """Make the new `folder` a project with the repository's program, and FLY_TOML as the machine that it declares."""
    folder.mkdir()
    for name in TEXTS:
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(FLY_TOML, folder)
    for name in FOLDERS:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)


def stack_file(**changes: Any) -> dict[str, Any]:
    """The content of a stack file: CONFIG with these keys changed, and the salt of PASSPHRASE."""
    config = {f"solos:{key}": value for key, value in copy.deepcopy({**CONFIG, **changes}).items()}
    return {"config": config, "encryptionsalt": SALT}


def encrypted(text: str) -> dict[str, str]:
    """A secret value, as it is written in a stack file with that salt."""
    return {"secure": _crypter().encrypt(text)}


@functools.cache
def _crypter() -> Crypter:
    return Crypter.of(SALT, PASSPHRASE)


def has_pulumi() -> bool:
    return shutil.which("pulumi") is not None


def calls(addresses: dict[str, str], service: str | None = None) -> list[str]:
    """The calls to the vendors so far, as `service METHOD /path`."""
    entries = httpx.get(f"{addresses['control']}/journal").json()
    return [
        f"{entry['service']} {entry['method']} {entry['path']}"
        for entry in entries
        if service in (None, entry["service"])
    ]


def fly(addresses: dict[str, str]) -> dict[str, list[Any]]:
    """The objects at Fly, by kind."""
    state: dict[str, list[Any]] = httpx.get(f"{addresses['control']}/fly/state").json()
    return state


def appstore(addresses: dict[str, str]) -> dict[str, list[Any]]:
    """The objects in App Store Connect, by type."""
    state: dict[str, list[Any]] = httpx.get(f"{addresses['control']}/appstore/state").json()
    return state
