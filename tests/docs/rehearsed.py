"""The world in which the commands of a document run: test doubles, a copy of the project, and a shell.

The copy's Pulumi.prod.yaml and fly.toml are those that the documents describe, whatever the committed ones contain, with the
endpoints and receivers of the doubles. PATH contains `pulumi` (the embedded engine if the CLI is not installed), and a `curl` that
sends requests for the vendors to the doubles.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from harness.program import CONFIG, FLY_TOML, PASSPHRASE, ROOT, SALT, has_pulumi
from rehearsal.doubles import served
from rehearsal.people import AppForm, People
from rehearsal.standins import ipa
from tests.docs.console import Event
from tests.needs import find
from tests.processes import descendants
from tests.program.watching import MONITOR

IMAGE = "registry.fly.io/solserver"
APP = "solos-prod"
NOT_REHEARSED = ("app", "uniqueNames", "archive", "ipa", "waitForAppRecord")
"""Keys of the tests' stack that production does without."""
PRODUCTION = {key: value for key, value in CONFIG.items() if key not in NOT_REHEARSED} | {
    "bundleId": "com.sollabs.solos",
    "appName": "SolOS",
    "protect": "true",
}
IPA = "build/solmobile.ipa"
"""The stack `prod` of the documents, without the project's prefix."""
MONITOR_SPEED = 20
TIMEOUT_SECONDS = 20.0
ASKS = re.compile(r"\b(pulumi (?:up|destroy|refresh|cancel|state \w+)\b)")
"""Commands that ask for confirmation."""
CURL = """#!{python}
import os, re, sys
places = {places!r}
def here(word):
    for vendor, double in places.items():
        if word.startswith(vendor):
            return [double + word[len(vendor):]]
    host = re.match(r"https://([a-z0-9-]+[.]fly[.]dev)(.*)", word)
    return ["-H", "Host: " + host[1], {proxy!r} + host[2]] if host else [word]
os.execv({curl!r}, ["curl", *(part for word in sys.argv[1:] for part in here(word))])
"""


class World:
    """One world, in its own folder."""

    def __init__(self, folder: Path) -> None:
        """`folder` is empty, or a copy of the folder of a closed world."""
        self._folder = folder
        self._project = folder / "solos"
        self._file = self._project / "Pulumi.prod.yaml"
        before = json.loads(known.read_text()) if (known := folder / "addresses.json").exists() else {}
        self._served = served(folder / "world")
        self._doubles = self._served.__enter__()
        known.write_text(json.dumps(self._doubles.addresses))
        if before:
            self._move(before)
        else:
            self._lay_out()
        self._put_on_path()
        (folder / "exported").write_text("")
        of_make = (
            "MAKEFLAGS",
            "MAKELEVEL",
            "MFLAGS",
        )  # Under `make test`, an inner make would print the folder that it enters.
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in of_make},
            **self._doubles.credentials,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_HOME": os.environ.get("PULUMI_HOME", str(folder / "home")),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "FLY_API_BASE_URL": self._doubles.addresses["fly_platform"],
            "FLY_UIEX_BASE_URL": self._doubles.addresses["fly_platform"],
            "FLY_FLAPS_BASE_URL": self._doubles.addresses["fly"],
            "FLY_CONFIG_DIR": str(folder / "home"),
            "FLY_NO_UPDATE_CHECK": "1",
            "FLY_SEND_METRICS": "0",
        }
        self._doubles.do("/delays", monitor_speed=MONITOR_SPEED)

    def close(self) -> None:
        self._served.__exit__(None, None, None)

    def type(self, command: str) -> tuple[int, str]:
        """Run it with every question answered yes; returns its exit code and output."""
        asked = re.search(r"^pulumi config set --secret --path '?solos:monitoringSecrets\.(\w+)", command)
        exported = shlex.quote(str(self._folder / "exported"))
        confirmed = ASKS.sub(r"\1 --yes", command)
        shell = f". {exported}; trap 'export -p > {exported}' EXIT; {confirmed}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shell],
            cwd=self._project,
            env=self._environment,
            input=self._monitoring_secret(asked[1]) if asked else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def perform(self, event: Event) -> None:
        """Make the event happen."""
        for pattern, happen in EVENTS.items():
            if found := re.fullmatch(pattern, event.text):
                happen(self, *found.groups())
                return
        raise AssertionError(f"line {event.line}: unknown event {event.text!r}")

    # Files and addresses.

    def _lay_out(self) -> None:
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            if (ROOT / name).is_file():
                (self._project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self._project / name)
        if (ROOT / ".tools").exists():
            (self._project / ".tools").symlink_to(ROOT / ".tools")
        if has_pulumi():
            (self._project / ".venv").symlink_to(sys.prefix)
        os.utime(self._project / "requirements-dev.txt", (0, 0))  # `make setup` has nothing to do.
        (self._folder / "state").mkdir()
        (self._folder / "bin").mkdir()
        shutil.copy(FLY_TOML, self._project)
        self._file.write_text(yaml.safe_dump({"config": {}}))
        self.configure(**PRODUCTION, endpoints=self._doubles.endpoints, **self._watched())
        self._doubles.do("/fly/images", reference=f"{IMAGE}:1.0.0")
        for tester in self.config["solos:testers"]:
            self._doubles.do("/appstore/users", **tester)

    def _watched(self) -> dict[str, Any]:
        """The monitor's settings; what its programs prove is waived where one of them is not installed."""
        receivers = {"page": "webhook", "ticket": "webhook"}
        monitoring = {**receivers, "sink": "loki", "sinkUrl": self._doubles.control, "sinkUser": "solos"}
        if not (absent := absent_monitor()):
            return {"monitoring": monitoring}
        waiver = {"reason": f"not installed here: {', '.join(absent)}", "by": "this test"}
        return {
            "monitoring": {**monitoring, "drill": "false"},
            "waivers": dict.fromkeys(("monitoring", "logging", "alerting"), waiver),
        }

    def _move(self, before: dict[str, str]) -> None:
        """Replace the addresses of the copied world's doubles, whose ports have changed, in the stack file and the state."""
        now = {before[name]: self._doubles.addresses[name] for name in before}
        old = re.compile("|".join(rf"{re.escape(address)}\b" for address in now))
        for path in (self._file, *(self._folder / "state").rglob("prod.json")):
            path.write_text(old.sub(lambda found: now[found[0]], path.read_text()))
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while self._doubles.browse(f"{APP}.fly.dev", "/health")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.05)

    def _put_on_path(self) -> None:
        places = {
            "https://api.machines.dev": self._doubles.addresses["fly"],
            "https://api.fly.io": self._doubles.addresses["fly_platform"],
        }
        self._script(
            "curl",
            CURL.format(
                python=sys.executable, places=places, proxy=self._doubles.addresses["proxy"], curl=shutil.which("curl")
            ),
        )
        if not has_pulumi():
            self._script("pulumi", f'#!/bin/sh\nexec {sys.executable} -m rehearsal.engine "$@"\n')
            self._use_quick_python(self._project / ".venv")

    @staticmethod
    def _use_quick_python(venv: Path) -> None:
        """Let `make` run this Python. The Pulumi CLI needs a real environment instead."""
        python = venv / "bin/python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.unlink(missing_ok=True)
        python.symlink_to(sys.executable)
        (venv / ".installed").touch()

    def _script(self, name: str, text: str) -> None:
        path = self._folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    # Events.

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = yaml.safe_load(self._file.read_text())["config"]
        return config

    def configure(self, **changes: Any) -> None:
        """Edit the stack file; None removes a key."""
        document = yaml.safe_load(self._file.read_text())
        for key, value in changes.items():
            document["config"].pop(f"solos:{key}", None)
            if value is not None:
                document["config"][f"solos:{key}"] = value
        self._file.write_text(yaml.safe_dump(document, sort_keys=False))

    def use_known_salt(self) -> None:
        """Take the salt of the tests' passphrase, whose key is computed once for all processes."""
        document = yaml.safe_load(self._file.read_text())
        self._file.write_text(yaml.safe_dump({**document, "encryptionsalt": SALT}, sort_keys=False))

    def without_monitor(self) -> None:
        waiver = {"reason": "one chapter launches with it", "by": "this test"}
        self.configure(
            monitoring=None,
            waivers=dict.fromkeys(("monitoring", "logging", "alerting"), waiver),
        )

    def archive(self, version: str, build: str) -> None:
        ipa.write(
            self._made(self._project / IPA),
            bundle_id=self.config["solos:bundleId"],
            version=version,
            build=build,
            info={"API_BASE_URL": f"https://{APP}.fly.dev"},
        )

    def fill_in_apples_form(self) -> None:
        config = self.config
        self._doubles.do(
            "/appstore/apps",
            bundleId=config["solos:bundleId"],
            name=config["solos:appName"],
            sku=config["solos:bundleId"],
            primaryLocale="en-US",
        )

    def install(self, version: str, build: str) -> None:
        config = self.config
        form = AppForm(config["solos:bundleId"], config["solos:appName"], config["solos:bundleId"])
        People(self._doubles.control, form, config["solos:testers"]).install(version, build)

    def sign_off(self) -> None:
        plan = (ROOT / "infra-docs" / "smoke-test.toml").read_text()
        features = re.findall(r'^key = "(.+)"', plan, re.MULTILINE)
        people = [tester["email"] for tester in self.config["solos:testers"]]
        of = {
            "build": f"{self.config['solos:version']} ({self.config['solos:build']})",
            "image": self.config["solos:image"],
        }
        self.configure(signOffs={"of": of, **{person: dict.fromkeys(features, "passed") for person in people}})

    def push(self, tag: str, broken: str | None) -> None:
        self._doubles.do("/fly/images", reference=f"{IMAGE}:{tag}", **({"broken": broken} if broken else {}))

    def write(self, text: str) -> None:
        status, response = self._doubles.browse(f"{APP}.fly.dev", "/notes", text=text)
        assert status == 201, response

    def snapshot(self) -> None:
        volume = self._volume()
        path = f"/apps/{APP}/volumes/{volume}/snapshots"
        self._doubles.fly("POST", path)
        while any(snapshot["status"] != "created" for snapshot in self._doubles.fly("GET", path)[1]):
            time.sleep(0.1)

    def lose_the_host(self) -> None:
        """Delete the machine and its volume."""
        state = self._doubles.see("/fly/state")
        (machine,) = (item["id"] for item in state["fly_machine"] if item["_app"] == APP)
        volume = self._volume()
        self._doubles.fly("DELETE", f"/apps/{APP}/machines/{machine}?force=true")
        while self._doubles.fly("DELETE", f"/apps/{APP}/volumes/{volume}")[0] == 412:
            time.sleep(0.1)  # the volume stays attached for a moment

    def accept(self, first_name: str, last_name: str, email: str) -> None:
        self._doubles.do("/appstore/users", email=email, firstName=first_name, lastName=last_name)

    def die_in_the_middle(self, tag: str) -> None:
        """Kill `pulumi up` while it waits for Fly's response to the update to the image `tag`."""
        self.configure(image=f"{IMAGE}:{tag}", expectBody=f'"{tag}"')
        self._doubles.do("/faults", kind="hang", service="fly", method="POST", path=r"/machines/\w+$", seconds=1)
        with subprocess.Popen(
            ["pulumi", "up", "--yes", "--stack", "prod"],
            cwd=self._project,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as up:
            while self._doubles.see("/faults") and up.poll() is None:
                time.sleep(0.05)
            assert up.poll() is None, f"the update was over before it could be killed: {up.communicate()[0]}"
            for process in (up.pid, *descendants(up.pid)):  # a dead laptop leaves no process running
                with suppress(ProcessLookupError):  # some end by themselves when the first one is dead
                    os.kill(process, signal.SIGKILL)

    def _volume(self) -> str:
        state = self._doubles.see("/fly/state")
        (volume,) = (item["id"] for item in state["fly_volume"] if item["_app"] == APP and not item["_deleted_at"])
        return str(volume)

    def _monitoring_secret(self, name: str) -> str:
        if name in ("page", "ticket", "heartbeat"):
            return f"{self._doubles.control}/receivers/{'deadman' if name == 'heartbeat' else name}"
        return {"metricsToken": "fm2_readonly", "sinkToken": "sink"}[name]

    @staticmethod
    def _made(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def absent_monitor() -> list[str]:
    """The monitor's programs that are not installed here."""
    return [program for program in MONITOR if find(program) is None]


EVENTS: dict[str, Callable[..., None]] = {
    r"build (\S+) \((\S+)\) is archived": World.archive,
    r"the account holder fills in Apple's form": World.fill_in_apples_form,
    r"the testers install (\S+) \((\S+)\)": World.install,
    r"the testers sign off": World.sign_off,
    r"image (\S+) is pushed(?:, broken by (\w+))?": World.push,
    r"a user writes (.+)": World.write,
    r"a snapshot is taken": World.snapshot,
    r"the host of the volume dies": World.lose_the_host,
    r"(\S+) (\S+) accepts the invitation as (\S+)": World.accept,
    r"a laptop dies in the middle of the update to (\S+)": World.die_in_the_middle,
}
"""The events that a comment `rehearsed` can name."""
