"""`python -m rehearsal.rehearse`: a whole launch against doubles of its own, then the checklist with its evidence.

First `up`: backend, build and testers. Then people install the build, sign the smoke test off, and somebody declares the launch;
the second `up` records it. Everything is kept in `.rehearsal/`, so that another run goes on where this one ended. With
`--destroy` the stack is taken down. Exits non-zero unless every row of the checklist holds.

With `--dress` it is the production stack, Pulumi.prod.yaml, with nothing swapped but endpoints, credentials and protection, and
a stand-in for the IPA where there is none. It starts from nothing, and takes everything down at the end.
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

from rehearsal.cloud.fly.programs import PROGRAMS
from rehearsal.engine.crypter import Crypter
from rehearsal.people import AppForm, People
from rehearsal.standins import ipa

FOLDER = Path(".rehearsal")
PLAN = Path("infra-docs/smoke-test.toml")
PASSPHRASE = "rehearsal"
LEAD = "Mara Lindqvist"
MONITOR_SPEED = 20
"""The monitor's intervals are divided by it: a drill that takes a minute and a half is over in seconds."""
ENGINES = ("embedded", "pulumi")
ENDPOINTS = {
    "fly": "fly",
    "flyPlatform": "fly_platform",
    "registry": "registry",
    "proxy": "proxy",
    "appstore": "appstore",
}
"""The double behind each of the program's endpoints."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.rehearse", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, help="the Pulumi CLI where it is installed, else the embedded one")
    parser.add_argument("--destroy", action="store_true", help="take the stack down")
    parser.add_argument("--dress", action="store_true", help="rehearse with the production stack file")
    options = parser.parse_args()
    engine = options.engine or ("pulumi" if shutil.which("pulumi") else "embedded")
    return _dress_rehearse(engine) if options.dress else _rehearse(engine, destroy=options.destroy)


def _rehearse(engine: str, *, destroy: bool) -> int:
    with _doubles(FOLDER) as addresses:
        if addresses is None:
            return 1
        stack = Stack("rehearsal", engine, FOLDER)
        if destroy:
            return stack.destroy()
        stack.decide(_receivers(stack, addresses["control"]))
        return _launch(stack, addresses) or stack.report()


def _dress_rehearse(engine: str) -> int:
    folder = FOLDER / "dress"
    shutil.rmtree(folder, ignore_errors=True)
    with _doubles(folder, port=0) as addresses:
        if addresses is None:
            return 1
        stack = Stack("prod", engine, folder)
        swapped: dict[str, Any] = {
            "solos:endpoints": {endpoint: addresses[double] for endpoint, double in ENDPOINTS.items()},
            "solos:credentialsFile": str(folder / "credentials.json"),
            "solos:protect": False,
            **_receivers(stack, addresses["control"]),
        }
        if not Path(stack.config["solos:ipa"]).exists():
            swapped["solos:ipa"] = str(_stand_in(folder, stack.config))
        stack.decide(swapped)
        return _launch(stack, addresses) or stack.report() or stack.destroy()


def _receivers(stack: "Stack", control: str) -> dict[str, Any]:
    """The monitor's settings with the control address in place of the services that get pages, heartbeats and log lines."""
    secrets = {name: f"{control}/receivers/{name}" for name in ("page", "ticket")}
    secrets |= {"heartbeat": f"{control}/receivers/deadman", "metricsToken": "fm2_readonly", "sinkToken": "sink"}
    return {
        "solos:monitoring": stack.config.get("solos:monitoring", {})
        | {"page": "webhook", "ticket": "webhook", "sink": "loki", "sinkUrl": control, "sinkUser": "solos"},
        "solos:monitoringSecrets": {name: stack.encrypted(value) for name, value in secrets.items()},
    }


class Stack:
    """A stack: its committed configuration, with what was decided in earlier runs, and an engine to run it."""

    def __init__(self, name: str, engine: str, folder: Path) -> None:
        """`folder` keeps its state and configuration."""
        self.name = name
        self.engine = engine
        self._folder = folder
        self._file = folder / f"Pulumi.{name}.yaml"
        self._decisions = folder / "decisions.json"
        (folder / "state").mkdir(parents=True, exist_ok=True)
        self._document = yaml.safe_load(Path(self._file.name).read_text(encoding="utf-8"))
        self.config: dict[str, Any] = self._document["config"]
        self.decide(json.loads(self._decisions.read_text()) if self._decisions.exists() else {})
        self._environment = {
            **os.environ,
            **json.loads((folder / "credentials.json").read_text()),
            "PULUMI_BACKEND_URL": (folder / "state").absolute().as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        print(f"engine: {engine}, stack: {name}\n", flush=True)

    @property
    def is_declared(self) -> bool:
        return "solos:declaredBy" in self.config

    def decide(self, decisions: dict[str, Any]) -> None:
        """Set keys of the stack, as a reviewed change of the stack file would."""
        self.config |= decisions
        if decisions:
            self._decisions.write_text(json.dumps(decisions))
        self._file.write_text(yaml.safe_dump(self._document), encoding="utf-8")

    def encrypted(self, text: str) -> dict[str, str]:
        """A secret value, as it stands in a stack file."""
        salt = self._document.get("encryptionsalt")
        crypter = Crypter.of(salt, PASSPHRASE) if salt else Crypter.new(PASSPHRASE)
        self._document["encryptionsalt"] = crypter.salt
        return {"secure": crypter.encrypt(text)}

    def up(self) -> int:
        if self.engine == "pulumi":
            self._output_of(["pulumi", "stack", "select", "--create", self.name])
        return self._run(self._command("up", "--yes"))

    def destroy(self) -> int:
        self._decisions.unlink(missing_ok=True)
        return self._run(self._command("destroy", "--yes"))

    def report(self) -> int:
        export = ["pulumi", "stack", "export", "--stack", self.name]
        if self.engine == "embedded":
            export = self._command("export")
        state = self._output_of(export)
        print(flush=True)
        return self._run([sys.executable, "-m", "report", "--out", str(self._folder / "report")], state)

    def _command(self, *operation: str) -> list[str]:
        start = ["pulumi"] if self.engine == "pulumi" else [sys.executable, "-m", "rehearsal.engine"]
        return [*start, *operation, "--stack", self.name, "--config-file", str(self._file)]

    def _run(self, command: Sequence[str], given: str | None = None) -> int:
        return subprocess.run(command, env=self._environment, input=given, text=True, check=False).returncode

    def _output_of(self, command: Sequence[str]) -> str:
        return subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def _launch(stack: Stack, addresses: dict[str, str]) -> int:
    """Up, the people's part, and up again; the exit code of the first `up` that fails."""
    config = stack.config
    _post(f"{addresses['control']}/fly/images", {"reference": config["solos:image"]})
    _post(f"{addresses['control']}/delays", {"monitor_speed": MONITOR_SPEED})
    stack.decide(_without_what_is_missing(config))
    form = AppForm(
        config["solos:bundleId"], config["solos:appName"], sku=config.get("solos:sku", config["solos:bundleId"])
    )
    with People(addresses["control"], form, config["solos:testers"]) as people:
        failed = stack.up()
        if failed and "solos:waitForAppEntry" not in config and people.have_filled_in_the_form():
            print("\nThe account holder has filled in Apple's form; up again goes on from there.\n", flush=True)
            failed = stack.up()
        if failed or stack.is_declared:
            return failed
        print(f"\nThe testers install the build and sign the smoke test off; {LEAD} declares the launch.\n", flush=True)
        people.install(config["solos:version"], config["solos:build"])
    features = [feature["key"] for feature in tomllib.loads(PLAN.read_text(encoding="utf-8"))["features"]]
    stack.decide({"solos:signOffs": people.sign_offs(features), "solos:declaredBy": LEAD})
    return stack.up()


def _stand_in(folder: Path, config: dict[str, Any]) -> Path:
    """An IPA that fits the stack."""
    return ipa.write(
        folder / "solmobile.ipa",
        bundle_id=config["solos:bundleId"],
        version=config["solos:version"],
        build=config["solos:build"],
        info={"API_BASE_URL": f"https://{config.get('solos:app') or _app_of_fly_toml()}.fly.dev"},
    )


def _app_of_fly_toml() -> str:
    return str(tomllib.loads(Path("fly.toml").read_text(encoding="utf-8"))["app"])


@contextmanager
def _doubles(folder: Path, port: int = 7700) -> Iterator[dict[str, str] | None]:
    """Served as long as the block runs; None when they do not start, which they have explained."""
    command = [sys.executable, "-m", "rehearsal", "serve", "--port", str(port), "--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            yield json.loads(ready) if ready else None
        finally:
            process.terminate()


def _without_what_is_missing(config: dict[str, Any]) -> dict[str, Any]:
    """Decisions that leave out what cannot be proven because a program of the monitor is not on this computer, and say so."""
    missing = {repository: program.binary for repository, program in PROGRAMS.items() if program.path() is None}
    rows = ["logging"] if "telegraf" in missing else []
    monitoring = dict(config.get("solos:monitoring", {}))
    secrets = dict(config.get("solos:monitoringSecrets", {}))
    if rows:
        monitoring = {key: value for key, value in monitoring.items() if not key.startswith("sink")} | {"logs": "false"}
        secrets.pop("sinkToken", None)
    if missing.keys() - {"telegraf"}:
        monitoring["drill"] = "false"
        rows = ["logging", "monitoring", "alerting"]
    if not rows:
        return {}
    reason = (
        f"not proven here: {', '.join(sorted(missing.values()))} missing, `make monitoring-tools` installs what can be"
    )
    print(f"NOT REHEARSED: {', '.join(rows)}: {reason}\n", flush=True)
    waivers = {**config.get("solos:waivers", {}), **{row: {"reason": reason, "by": "this rehearsal"} for row in rows}}
    return {"solos:monitoring": monitoring, "solos:monitoringSecrets": secrets, "solos:waivers": waivers}


def _post(address: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(address, data=json.dumps(body).encode())  # noqa: S310 (loopback)
    with urllib.request.urlopen(request):  # noqa: S310 (loopback)
        pass


if __name__ == "__main__":
    sys.exit(main())
