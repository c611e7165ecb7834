"""Credentials from a file."""

from pathlib import Path

import pytest
from pulumi.dynamic import Config

from providers import configuration
from providers.errors import ProviderError


def test_binary_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example a key in DER, or an archive."""
    file = tmp_path / "AuthKey.p8"
    file.write_bytes(b"\x30\x82\xff\xfe")
    monkeypatch.delenv("ASC_PRIVATE_KEY", raising=False)
    monkeypatch.setenv("ASC_PRIVATE_KEY_PATH", str(file))

    with pytest.raises(ProviderError, match=r"AuthKey\.p8 is not a text file; name the file as it was downloaded"):
        configuration.credential(Config({}, "solos"), "ASC_PRIVATE_KEY", "ascPrivateKey", "the key")
