"""`python -m rehearsal.rehearse`: the rehearsal stack against doubles of its own, then the checklist with its evidence.

Everything is kept in `.rehearsal/`, so that a second run goes on where the first one ended. With `--destroy` the stack is taken
down. Exits non-zero unless every row of the checklist holds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(".rehearsal")
STACK = "rehearsal"
PASSPHRASE = "rehearsal"
IMAGE = "registry.fly.io/solserver:1.0.0"
ENGINES = ("embedded", "pulumi")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.rehearse", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, help="the Pulumi CLI where it is installed, else the embedded one")
    parser.add_argument("--destroy", action="store_true", help="take the stack down")
    options = parser.parse_args()
    engine = options.engine or ("pulumi" if shutil.which("pulumi") else "embedded")
    (FOLDER / "state").mkdir(parents=True, exist_ok=True)
    with _doubles() as addresses:
        if addresses is None:
            return 1
        _push_image(addresses["control"])
        _set_environment()
        print(f"engine: {engine}\n", flush=True)
        code = _run(engine, "destroy" if options.destroy else "up", "--yes")
        return code if code or options.destroy else _report(engine)


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


def _push_image(control: str) -> None:
    body = json.dumps({"reference": IMAGE}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{control}/fly/images", data=body)):  # noqa: S310 (loopback)
        pass


def _set_environment() -> None:
    """What the programs that are run from here find in their environment."""
    os.environ["PULUMI_BACKEND_URL"] = (FOLDER / "state").absolute().as_uri()
    os.environ["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
    os.environ["PULUMI_SKIP_UPDATE_CHECK"] = "true"
    os.environ.update(json.loads((FOLDER / "credentials.json").read_text()))


def _command(engine: str, operation: Sequence[str]) -> list[str]:
    start = ["pulumi"] if engine == "pulumi" else [sys.executable, "-m", "rehearsal.engine"]
    return [*start, *operation, "--stack", STACK]


def _run(engine: str, *operation: str) -> int:
    if engine == "pulumi":
        subprocess.run(["pulumi", "stack", "select", "--create", STACK], check=True, capture_output=True)
    return subprocess.run(_command(engine, operation), check=False).returncode


def _report(engine: str) -> int:
    export = ["stack", "export"] if engine == "pulumi" else ["export"]
    state = subprocess.run(_command(engine, export), check=True, capture_output=True, text=True).stdout
    report = [sys.executable, "-m", "report", "--out", str(FOLDER / "report")]
    print(flush=True)
    return subprocess.run(report, input=state, text=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
