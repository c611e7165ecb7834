"""What can go wrong in production, and what to do about it: `make drill NAME=…`.

A drill runs the real program through the real engine's protocol, against doubles of its own in a temporary folder. It says what
it does, prints what a person would see, and checks that the outcome is what the runbook promises. One file each; `drill.py` has
what they share.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from rehearsal.doubles import served
from rehearsal.drills.drill import Drill, Failed

DRILLS = (
    "bad-release",
    "lost-volume",
    "rotated-secret",
    "expired-certificate",
    "rejected-build",
    "tester-without-account",
    "alert",
)
"""Names; the file of one has underscores for its dashes."""


def listed() -> str:
    """Each drill with the first line of its file."""
    return "\n".join(f"{name:<24}{_title(_module(name))}" for name in DRILLS)


def run(name: str, engine: str) -> int:
    """Run a drill; its exit code: 0 when the outcome is as promised."""
    module = _module(name)
    print(f"{(module.__doc__ or '').strip()}\n\nEngine: {engine}.", flush=True)
    with tempfile.TemporaryDirectory(prefix=f"drill-{name}-") as folder, served(Path(folder)) as doubles:
        try:
            with Drill(Path(folder), engine, doubles) as drill:
                module.run(drill)
        except Failed as failed:
            print(f"\nDRILL FAILED: {failed}", file=sys.stderr, flush=True)
            return 1
    print("\nThe drill went as promised.", flush=True)
    return 0


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"rehearsal.drills.{name.replace('-', '_')}")


def _title(module: ModuleType) -> str:
    return (module.__doc__ or "").partition("\n")[0]
