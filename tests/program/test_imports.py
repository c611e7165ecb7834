"""A preview does not import what only calls need: each run of the engine starts the program and the provider process."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import imports
from harness.engine import StackInProcess
from harness.inprocess import new_world
from harness.program import ROOT
from providers import lazy, waiting

ONLY_CALLS_NEED = {"httpx", "jwt", "cryptography"}
CLIENTS = (
    "providers.fly.api.",
    "providers.fly.safe_update.",
    "providers.appstore.api.",
    "providers.betterstack.api",
    "providers.http",
)
CHECKS_NEED = {
    "providers.appstore.api.addresses",
    *("providers.fly.api.config_view", "providers.fly.api.durations", "providers.fly.api.guest"),
    "providers.fly.safe_update.machine_config",
}


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


def test_clients_wait_for_calls() -> None:
    """Of our own modules too: of the vendors' clients, the program and the resources import only what checks need (decision 20)."""
    statements = f"{imports.of_the_program()}\n{imports.of_the_provider_process()}\nimport sys; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", statements], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {module for module in done.stdout.split() if module.startswith(CLIENTS)} == CHECKS_NEED


def test_lazy_module() -> None:
    """It reads and changes the module that it stands for."""
    stand_in = lazy.submodules("providers")("waiting")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "clock", "changed")
        assert vars(waiting)["clock"] == "changed"

    assert stand_in.clock is waiting.clock
    with pytest.raises(AttributeError):
        _ = stand_in.missing


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
