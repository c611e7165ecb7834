"""A preview does not import what only calls need: each run of the engine starts the program and the provider process."""

import subprocess
import sys

import pytest

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
    loads = f"import sys, {module}; print(*sys.modules, sep='\\n')"

    loaded = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert not ONLY_CALLS_NEED & set(loaded.split())
