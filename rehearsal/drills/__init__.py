"""What can go wrong in production, and what to do about it: `make drill NAME=…`.

A drill runs the real program with either engine, against its own doubles in a temporary folder. It prints what it does and what a
person would see, and checks that the outcome is what the runbook promises. Each drill is one file; `drill.py` has what they share.
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
"""Names of the drills; the name of the file has underscores instead of hyphens."""


def listed() -> str:
    """A line per drill: its name, and the first line of its module's docstring."""
    return "\n".join(f"{name:<24}{_title(_module(name))}" for name in DRILLS)


def run(name: str, engine: str) -> int:
    """Run a drill; returns its exit code, 0 if every promise holds."""
    module = _module(name)
    print(f"{(module.__doc__ or '').strip()}\n\nEngine: {engine}.", flush=True)
    with tempfile.TemporaryDirectory(prefix=f"drill-{name}-") as folder, served(Path(folder)) as doubles:
        try:
            with Drill(Path(folder), engine, doubles) as drill:
                module.run(drill)
        except Failed as failed:
            print(f"\nDRILL FAILED: {failed}", file=sys.stderr, flush=True)
            return 1
    print("\nThe drill passed.", flush=True)
    return 0


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"rehearsal.drills.{name.replace('-', '_')}")


def _title(module: ModuleType) -> str:
    return (module.__doc__ or "").partition("\n")[0]
