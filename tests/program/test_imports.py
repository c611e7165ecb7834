"""A preview does not import what only calls need: each run of the engine starts the program and the provider process."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.engine import StackInProcess
from harness.inprocess import new_world
from harness.program import ROOT

ONLY_CALLS_NEED = {"httpx", "jwt", "cryptography"}


@pytest.mark.parametrize(
    "module",
    [
        "components.backend.component",
        "components.monitoring.component",
        "components.testflight.component",
        "components.launch.component",
    ],
)
def test_preview_imports(module: str) -> None:
    assert not ONLY_CALLS_NEED & imported_with(module)


def test_engine_imports() -> None:
    """It needs the SDK's protocol, not the SDK."""
    assert "pulumi" not in imported_with("rehearsal.engine.operations")


def imported_with(module: str) -> set[str]:
    loads = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    return set(
        subprocess.run(
            [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_missing_bytecode_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python may not store what it compiles, every run of the program says so."""
    stack = StackInProcess.new(tmp_path / "stack", new_world())
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    stack.run("preview")
    assert "PYTHONDONTWRITEBYTECODE" not in stack.text
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "nothing"))

    stack.run("preview")
    stack.world.close()

    assert "PYTHONDONTWRITEBYTECODE is set" in stack.text
