"""`python -m rehearsal.rehearse`: a whole launch against doubles of its own, then the checklist with its evidence.

First `up`: backend, build and testers. Then people install the build, sign the smoke test off, and somebody declares the launch;
the second `up` records it. Everything is kept in `.rehearsal/`, so that another run goes on where this one ended. With
`--destroy` the stack is taken down. Exits non-zero unless every row of the checklist holds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from rehearsal.people import AppForm, People

FOLDER = Path(".rehearsal")
STACK = "rehearsal"
STACK_FILE = Path(f"Pulumi.{STACK}.yaml")
PLAN = Path("infra-docs/smoke-test.toml")
PASSPHRASE = "rehearsal"
LEAD = "Mara Lindqvist"
ENGINES = ("embedded", "pulumi")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.rehearse", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, help="the Pulumi CLI where it is installed, else the embedded one")
    parser.add_argument("--destroy", action="store_true", help="take the stack down")
    options = parser.parse_args()
    stack = Stack(options.engine or ("pulumi" if shutil.which("pulumi") else "embedded"))
    with _doubles() as addresses:
        if addresses is None:
            return 1
        _push_image(addresses["control"], stack.config["solos:image"])
        _set_environment()
        print(f"engine: {stack.engine}\n", flush=True)
        if options.destroy:
            return stack.destroy()
        with _people(addresses["control"], stack.config) as people:
            return _launch(stack, people) or stack.report()


class Stack:
    """The rehearsal stack: its committed configuration, with what people decided in earlier runs, and an engine to run it."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        (FOLDER / "state").mkdir(parents=True, exist_ok=True)
        self._decisions = FOLDER / "decisions.json"
        self._document = yaml.safe_load(STACK_FILE.read_text(encoding="utf-8"))
        self.config: dict[str, Any] = self._document["config"]
        self.decide(json.loads(self._decisions.read_text()) if self._decisions.exists() else {})

    @property
    def is_declared(self) -> bool:
        return "solos:declaredBy" in self.config

    def decide(self, decisions: dict[str, Any]) -> None:
        """Set keys of the stack, as a reviewed change of the stack file would."""
        self.config |= decisions
        if decisions:
            self._decisions.write_text(json.dumps(decisions))
        (FOLDER / STACK_FILE).write_text(yaml.safe_dump(self._document), encoding="utf-8")

    def up(self) -> int:
        if self.engine == "pulumi":
            subprocess.run(["pulumi", "stack", "select", "--create", STACK], check=True, capture_output=True)
        return subprocess.run(self._command("up", "--yes"), check=False).returncode

    def destroy(self) -> int:
        self._decisions.unlink(missing_ok=True)
        return subprocess.run(self._command("destroy", "--yes"), check=False).returncode

    def report(self) -> int:
        export = self._command("export") if self.engine == "embedded" else ["pulumi", "stack", "export", "-s", STACK]
        state = subprocess.run(export, check=True, capture_output=True, text=True).stdout
        print(flush=True)
        report = [sys.executable, "-m", "report", "--out", str(FOLDER / "report")]
        return subprocess.run(report, input=state, text=True, check=False).returncode

    def _command(self, *operation: str) -> Sequence[str]:
        start = ["pulumi"] if self.engine == "pulumi" else [sys.executable, "-m", "rehearsal.engine"]
        return [*start, *operation, "--stack", STACK, "--config-file", str(FOLDER / STACK_FILE)]


def _launch(stack: Stack, people: People) -> int:
    """Up, the people's part, and up again; the exit code of the first `up` that fails."""
    failed = stack.up()
    if failed or stack.is_declared:
        return failed
    print(f"\nThe testers install the build and sign the smoke test off; {LEAD} declares the launch.\n", flush=True)
    people.install(stack.config["solos:version"], stack.config["solos:build"])
    features = [feature["key"] for feature in tomllib.loads(PLAN.read_text(encoding="utf-8"))["features"]]
    stack.decide({"solos:signOffs": people.sign_offs(features), "solos:declaredBy": LEAD})
    return stack.up()


def _people(control: str, config: dict[str, Any]) -> People:
    form = AppForm(config["solos:bundleId"], config["solos:appName"], sku=config["solos:bundleId"])
    return People(control, form, config["solos:testers"])


@contextmanager
def _doubles() -> Iterator[dict[str, str] | None]:
    """Served as long as the block runs; None when they do not start, which they have explained."""
    command = [sys.executable, "-m", "rehearsal", "serve", "--data", str(FOLDER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            yield json.loads(ready) if ready else None
        finally:
            process.terminate()


def _push_image(control: str, reference: str) -> None:
    body = json.dumps({"reference": reference}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{control}/fly/images", data=body)):  # noqa: S310 (loopback)
        pass


def _set_environment() -> None:
    """What the programs that are run from here find in their environment."""
    os.environ["PULUMI_BACKEND_URL"] = (FOLDER / "state").absolute().as_uri()
    os.environ["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
    os.environ["PULUMI_SKIP_UPDATE_CHECK"] = "true"
    os.environ.update(json.loads((FOLDER / "credentials.json").read_text()))


if __name__ == "__main__":
    sys.exit(main())
