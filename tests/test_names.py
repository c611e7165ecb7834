"""The providers are for any app: nothing in them names this one."""

from pathlib import Path

import pytest

PROVIDERS = Path(__file__).resolve().parents[1] / "providers"


@pytest.mark.parametrize("name", ["solos", "solserver", "solmobile"])
def test_providers_name_no_product(name: str) -> None:
    found = [path.name for path in PROVIDERS.rglob("*.py") if name in path.read_text(encoding="utf-8").lower()]

    assert found == []
