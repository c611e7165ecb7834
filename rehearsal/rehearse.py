"""A whole launch against its own doubles, then the checklist with its evidence: `make rehearse`.

    python -m rehearsal.rehearse launch     runs `up` twice: the first deploys backend, build and testers; then people install the
                                            build and sign the smoke test off, and the second records the declared launch
    python -m rehearsal.rehearse destroy    destroys the stack and removes the folder
    python -m rehearsal.rehearse dress      launches a copy of the production stack from nothing, and destroys it
    python -m rehearsal.rehearse serve      serves the doubles and writes a stack file, for `pulumi` in another shell
    python -m rehearsal.rehearse people     does what people do after the `up` in that shell

All state is in `.rehearsal/`; another run continues from there. The exit code is 0 if every row of the checklist holds or is
waived.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from project.config import project_name
from project.files import BadProject, read_toml, read_yaml, write_yaml
from rehearsal import dress, ports, processes
from rehearsal.doubles import Doubles, served
from rehearsal.errors import exit_code
from rehearsal.folder import locked
from rehearsal.people import AppForm, People
from rehearsal.receivers import SPEED, receivers, waived
from rehearsal.stack import ENGINES, RehearsalStack, inherited, installed_engine, rehearsal_file

FOLDER = Path(".rehearsal")
NAME = "rehearsal"
PLAN = Path("infra-docs/smoke-test.toml")
LEAD = "Mara Lindqvist"
TARGETS = {
    "launch": "rehearse",
    "destroy": "rehearse-destroy",
    "dress": "dress-rehearsal",
    "serve": "serve",
    "people": "people",
}
"""The Makefile's target for each command."""
TEXTS = ("image", "bundleId", "appName", "version", "build")
"""The keys, besides the testers, that the people of the rehearsal need."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal.rehearse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=TARGETS)
    parser.add_argument("--engine", choices=ENGINES, help="default: the Pulumi CLI if it is on PATH, else embedded")
    parser.add_argument("--port", type=int, help=ports.HELP)
    options = parser.parse_args()
    with processes.forwarded_signals():
        return exit_code(lambda: _run(options.what, options.engine or installed_engine(), options.port))


def _run(what: str, engine: str, port: int | None) -> int:
    if what == "people":
        return _play_people()
    with locked(FOLDER, f"make {TARGETS[what]}") as lock:
        folder = FOLDER
        if what == "dress":
            folder = FOLDER / "dress"
            shutil.rmtree(folder, ignore_errors=True)
        with served(folder, port, [lock]) as doubles:
            (folder / "addresses.json").write_text(json.dumps(doubles.addresses), encoding="utf-8")
            if what == "dress":
                return _dress_rehearse(Rehearsal("prod", engine, folder, doubles, lock), doubles)
            stack = Rehearsal(NAME, engine, folder, doubles, lock)
            if what == "serve":
                return _serve(stack, doubles)
            if what == "launch":
                return _rehearse(stack, doubles)
            failed = stack.run("destroy")
        if not failed:
            # Like Apple, the doubles keep the app record and its builds. The next rehearsal starts without them.
            shutil.rmtree(FOLDER)
    return failed


class Rehearsal(RehearsalStack):
    """A rehearsed stack: its committed configuration, with the sign-offs and the declaration of earlier runs."""

    def __init__(self, name: str, engine: str, folder: Path, doubles: Doubles, lock: int) -> None:
        """`folder` keeps its state and configuration. Raises BadProject."""
        source = rehearsal_file() if name == NAME else Path(f"Pulumi.{name}.yaml")
        super().__init__(name, source, folder, engine, doubles, inherits=[lock])
        self._doubles = doubles
        self._kept = folder / "decisions.json"
        earlier = json.loads(self._kept.read_text(encoding="utf-8")) if self._kept.exists() else {}
        self._decided: dict[str, Any] = {}
        if earlier.get("release") == self.release:  # nobody has signed off another release
            self._decided = earlier["decided"]
        if earlier and earlier["endpoints"] != doubles.endpoints:
            self.follow(earlier["endpoints"], doubles.endpoints)
        self.decide({})
        print(f"engine: {engine}, stack: {name}\n", flush=True)

    @property
    def release(self) -> dict[str, Any]:
        """What people sign off: when any of this changes, they have to sign off again."""
        keys = ("version", "build", "label", "testers")
        return {key: self.config.get(key) for key in keys}

    @property
    def is_declared(self) -> bool:
        return "declaredBy" in self.config

    def decide(self, decisions: dict[str, Any]) -> None:
        """Set keys of the stack, in this run and in later runs of the same release."""
        self._decided |= decisions
        kept = {"release": self.release, "decided": self._decided, "endpoints": self._doubles.endpoints}
        draft = self._kept.with_suffix(".draft")  # a killed run must not leave half a file
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(self._kept)
        self.configure(self._decided)

    def report(self) -> int:
        """Print the checklist and write the report, from the state alone. Returns an exit code, not 0 if rows are open."""
        command = [sys.executable, "-m", "report", "--out", str(self.folder / "report")]
        state = self.exported()
        print(flush=True)
        return subprocess.run(command, input=state, text=True, check=False).returncode


def _rehearse(stack: Rehearsal, doubles: Doubles) -> int:
    stack.configure({"endpoints": doubles.endpoints, **receivers(stack, doubles.control)})
    failed = _launch(stack, doubles)
    if failed:
        _advise()
    return failed or stack.report()


def _dress_rehearse(stack: Rehearsal, doubles: Doubles) -> int:
    if _is_complete(stack.config):
        stack.configure(dress.changes(stack, doubles))
        dress.add_to_world(stack, doubles)
    failed = _launch(stack, doubles) or stack.report() or stack.run("destroy")
    if not failed:
        print(
            f"\nRehearsed: the stack {stack.name} launches from nothing with its settings, and was destroyed again. All of it was at the "
            f"doubles: nothing changed at Fly or Apple, or in your state. What the destroy advises above (`pulumi stack rm`, a "
            f"certificate to revoke) is about the doubles: do not follow it.",
            flush=True,
        )
    return failed


def _launch(stack: Rehearsal, doubles: Doubles) -> int:
    """Run `up`, let people act, and run `up` again. Returns the exit code of the first `up` that fails, else 0."""
    config = stack.config
    if not _is_complete(config):
        return stack.run("preview") or 1  # The preview reports the missing key, and the misspelt one.
    doubles.do("/delays", monitor_speed=SPEED)
    stack.configure(waived(config))  # Not stored for later runs: the programs may be installed then.
    with _people(config, doubles.control) as people:
        failed = stack.run("up")
        if failed and "waitForAppRecord" not in config and people.app_record_exists():
            print("\nThe account holder has filled in Apple's form; the next `up` continues.\n", flush=True)
            failed = stack.run("up")
        if failed or not config.get("ipa"):
            return failed
        installed = people.install(str(config["version"]), str(config["build"]))
    was_declared = stack.is_declared
    if was_declared and not installed:
        return 0
    print(f"\nThe testers install the build and sign the smoke test off; {LEAD} declares the launch.\n", flush=True)
    stack.decide(_declaration(people, config))
    return stack.run(
        "up", *(["--refresh"] if was_declared else [])
    )  # A new declaration asks Apple, a repeated one does not.


def _serve(stack: Rehearsal, doubles: Doubles) -> int:
    """Print the commands for another shell, and serve the doubles until Ctrl-C."""
    doubles.do("/delays", monitor_speed=SPEED)
    credentials = {"credentialsFile": str(stack.folder / "credentials.json")}  # the other shell's environment has none
    stack.configure({"endpoints": doubles.endpoints, **credentials, **receivers(stack, doubles.control)})
    stack.configure(waived(stack.config))
    stack.select()
    fly = doubles.addresses["fly_platform"]
    pulumi = "pulumi" if stack.engine == "pulumi" else f"{shlex.quote(sys.executable)} -m rehearsal.engine"
    print(
        f"The doubles are ready. Apple's form for the app record is at {doubles.control}/.\n"
        "In another shell, where flyctl reaches them too:\n\n"
        f"{_unset(os.environ)}"
        f"    export FLY_API_BASE_URL={fly} FLY_UIEX_BASE_URL={fly} FLY_FLAPS_BASE_URL={doubles.addresses['fly']}\n"
        f'    export FLY_API_TOKEN="{doubles.credentials["FLY_API_TOKEN"]}"\n'
        f'    export PULUMI_BACKEND_URL="file://$PWD/{FOLDER}/state" PULUMI_CONFIG_PASSPHRASE={NAME}\n'
        f"    {pulumi} up --stack {NAME} --config-file {stack.file}\n"
        f"    make people\n"
        f"    {pulumi} up --stack {NAME} --config-file {stack.file}\n"
        f"    make report STACK={NAME}\n",
        flush=True,
    )
    assert doubles.process is not None
    try:
        doubles.process.wait()
    except processes.Interrupted:
        return 0
    raise processes.Killed("the doubles ended unexpectedly")


def _unset(environment: Mapping[str, str]) -> str:
    """A command for the other shell, if this one has credentials of a person, or a declared loss: the doubles would get them."""
    foreign = sorted(environment.keys() - inherited(environment).keys())
    return f"    unset {' '.join(foreign)}\n" if foreign else ""


def _play_people() -> int:
    """Install the build, sign off and declare, in the stack file that `serve` wrote. Raises BadProject and Refused."""
    served_at = FOLDER / "addresses.json"
    file = FOLDER / f"Pulumi.{NAME}.yaml"
    if not served_at.exists():
        raise BadProject(f"{served_at} is missing: run `make serve` in another shell first")
    document = read_yaml(file)
    prefix = f"{project_name(Path())}:"
    config = {key.removeprefix(prefix): value for key, value in document["config"].items()}
    people = _people(config, json.loads(served_at.read_text(encoding="utf-8"))["control"])
    people.install(str(config["version"]), str(config["build"]))
    declaration = _declaration(people, config)
    document["config"] |= {f"{prefix}{key}": value for key, value in declaration.items()}
    write_yaml(file, document)
    print(f"The testers have installed the build. {file} has their sign-offs, and {LEAD}'s declaration of the launch.")
    return 0


def _people(config: dict[str, Any], control: str) -> People:
    bundle_id = str(config["bundleId"])
    form = AppForm(bundle_id, str(config["appName"]), sku=str(config.get("sku") or bundle_id))
    return People(control, form, config["testers"])


def _declaration(people: People, config: dict[str, Any]) -> dict[str, Any]:
    """The keys that people set in the stack file when they have tried the build."""
    features = [feature["key"] for feature in read_toml(PLAN)["features"]]
    build = f"{config['version']} ({config['build']})"
    return {
        "signOffs": people.sign_offs(features, build, str(config["image"])),
        "declaredBy": LEAD,
    }


def _is_complete(config: dict[str, Any]) -> bool:
    """Whether the stack has all keys that the people of the rehearsal need. If not, the program reports what is missing."""
    testers = config.get("testers")
    return (
        all(isinstance(config.get(key), str | int | float) for key in TEXTS)
        and isinstance(testers, list)
        and all(isinstance(tester, dict) and isinstance(tester.get("email"), str) for tester in testers)
    )


def _advise() -> None:
    print(
        "\nFix the cause of the error, then run `make rehearse` again: it continues from here. To start over, run "
        "`make rehearse-destroy` first.\nThe images and users that exist before a rehearsal are in rehearsal/world.toml.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
