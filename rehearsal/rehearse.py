"""`python -m rehearsal.rehearse`: a whole launch against doubles of its own, then the checklist with its evidence.

First `up`: backend, build and testers. Then people install the build, sign the smoke test off, and somebody declares the launch;
the second `up` records it. Everything is kept in `.rehearsal/`, so that another run goes on where this one ended. With
`--destroy` the stack is taken down, and the folder goes with it. Exits non-zero unless every row of the checklist holds.

With `--dress` it is the production stack, Pulumi.prod.yaml, with nothing swapped but endpoints, credentials and protection, and
a stand-in for the IPA where there is none. It starts from nothing, and takes everything down at the end.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from rehearsal.cloud.fly.programs import PROGRAMS
from rehearsal.doubles import Doubles, served
from rehearsal.people import AppForm, People
from rehearsal.stack import ENGINES, Stack, installed_engine
from rehearsal.standins import ipa

FOLDER = Path(".rehearsal")
PLAN = Path("infra-docs/smoke-test.toml")
LEAD = "Mara Lindqvist"
NEEDED = ("solos:image", "solos:bundleId", "solos:appName", "solos:version", "solos:build", "solos:testers")
"""What people have to know to play their parts."""
MONITOR_SPEED = 20
"""The monitor's intervals are divided by it: a drill that takes a minute and a half is over in seconds."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.rehearse", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, help="the Pulumi CLI where it is installed, else the embedded one")
    parser.add_argument("--destroy", action="store_true", help="take the stack down, and the world that it was in")
    parser.add_argument("--dress", action="store_true", help="rehearse with the production stack file")
    options = parser.parse_args()
    engine = options.engine or installed_engine()
    return _dress_rehearse(engine) if options.dress else _rehearse(engine, destroy=options.destroy)


def _rehearse(engine: str, *, destroy: bool) -> int:
    with served(FOLDER, port=7700) as doubles:
        stack = Rehearsal("rehearsal", engine, FOLDER, doubles)
        if not destroy:
            stack.decide(receivers(stack, doubles.control))
            return _launch(stack, doubles) or stack.report()
        failed = stack.run("destroy")
    if not failed:
        # The double has kept what Apple keeps, the app entry and its builds: the next rehearsal begins in an empty world.
        shutil.rmtree(FOLDER)
    return failed


def _dress_rehearse(engine: str) -> int:
    folder = FOLDER / "dress"
    shutil.rmtree(folder, ignore_errors=True)
    with served(folder) as doubles:
        stack = Rehearsal("prod", engine, folder, doubles)
        swapped: dict[str, Any] = {
            "solos:endpoints": doubles.endpoints,
            "solos:credentialsFile": str(folder / "credentials.json"),
            "solos:protect": False,
            **receivers(stack, doubles.control),
        }
        if not Path(stack.config["solos:ipa"]).exists():
            swapped["solos:ipa"] = str(_stand_in(folder, stack.config))
        stack.decide(swapped)
        return _launch(stack, doubles) or stack.report() or stack.run("destroy")


def receivers(stack: Stack, control: str) -> dict[str, Any]:
    """The monitor's settings with the control address in place of the services that get pages, heartbeats and log lines."""
    secrets = {name: f"{control}/receivers/{name}" for name in ("page", "ticket")}
    secrets |= {"heartbeat": f"{control}/receivers/deadman", "metricsToken": "fm2_readonly", "sinkToken": "sink"}
    return {
        "solos:monitoring": stack.config.get("solos:monitoring", {})
        | {"page": "webhook", "ticket": "webhook", "sink": "loki", "sinkUrl": control, "sinkUser": "solos"},
        "solos:monitoringSecrets": {name: stack.encrypted(value) for name, value in secrets.items()},
    }


class Rehearsal(Stack):
    """A rehearsed stack: its committed configuration, with what was decided in earlier runs."""

    def __init__(self, name: str, engine: str, folder: Path, doubles: Doubles) -> None:
        """`folder` keeps its state and configuration."""
        super().__init__(name, Path(f"Pulumi.{name}.yaml"), folder, engine, doubles.credentials)
        self._decisions = folder / "decisions.json"
        self._report = folder / "report"
        self._decided: dict[str, Any] = {}
        earlier = json.loads(self._decisions.read_text()) if self._decisions.exists() else {}
        testers = {tester["email"] for tester in self.config.get("solos:testers", ())}
        # Where other people test by now, nobody has signed off or declared anything yet.
        self.decide(earlier if earlier.get("solos:signOffs", {}).keys() <= testers else {})
        print(f"engine: {engine}, stack: {name}\n", flush=True)

    @property
    def is_declared(self) -> bool:
        return "solos:declaredBy" in self.config

    def decide(self, decisions: dict[str, Any]) -> None:
        """Set keys of the stack, and keep to that in later runs."""
        self._decided |= decisions
        self._decisions.write_text(json.dumps(self._decided))
        self.configure(decisions)

    def report(self) -> int:
        """The checklist, from the state alone; non-zero as long as rows are open."""
        command = [sys.executable, "-m", "report", "--out", str(self._report)]
        state = self.exported()
        print(flush=True)
        return subprocess.run(command, input=state, text=True, check=False).returncode


def _launch(stack: Rehearsal, doubles: Doubles) -> int:
    """Up, the people's part, and up again; the exit code of the first `up` that fails."""
    config = stack.config
    if any(key not in config for key in NEEDED):
        return stack.run("preview") or 1  # which names the key, and what it is if it is misspelt
    doubles.do("/fly/images", reference=config["solos:image"])
    doubles.do("/delays", monitor_speed=MONITOR_SPEED)
    stack.configure(_without_what_is_missing(config))  # Not kept: the programs may be here the next time.
    form = AppForm(
        config["solos:bundleId"], config["solos:appName"], sku=config.get("solos:sku", config["solos:bundleId"])
    )
    with People(doubles.control, form, config["solos:testers"]) as people:
        failed = stack.run("up")
        if failed and "solos:waitForAppEntry" not in config and people.have_filled_in_the_form():
            print("\nThe account holder has filled in Apple's form; up again goes on from there.\n", flush=True)
            failed = stack.run("up")
        if failed or stack.is_declared:
            return failed
        print(f"\nThe testers install the build and sign the smoke test off; {LEAD} declares the launch.\n", flush=True)
        people.install(config["solos:version"], config["solos:build"])
    features = [feature["key"] for feature in tomllib.loads(PLAN.read_text(encoding="utf-8"))["features"]]
    stack.decide({"solos:signOffs": people.sign_offs(features), "solos:declaredBy": LEAD})
    return stack.run("up")


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


if __name__ == "__main__":
    sys.exit(main())
