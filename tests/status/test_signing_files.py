"""What a developer signs with, from the state of a stack."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.program import PASSPHRASE, SALT, create_project, encrypted
from project.state import SECRET, SIGNATURE
from status.signing_files import FOLDER, main

Keep = Callable[..., None]


def kept(text: str) -> dict[str, str]:
    """A secret as the state has it."""
    return {SIGNATURE: SECRET, "ciphertext": encrypted(json.dumps(text))["secure"]}


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CERTIFICATE = {
    "type": "pulumi-python:dynamic/appstore:Certificate",
    "outputs": {"p12": kept(in_base64("the key")), "p12_password": kept("opens it")},
}
PROFILE = {
    "type": "pulumi-python:dynamic/appstore:Profile",
    "outputs": {"full_name": "SolOS App Store 3267", "content": kept(in_base64("the profile"))},
}


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Writes the state of a stack with these resources, as its own passphrase encrypts it."""
    create_project(tmp_path / "solos")
    monkeypatch.chdir(tmp_path / "solos")
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "state").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    encryption = {"type": "passphrase", "state": {"salt": SALT}}

    def write(*resources: object) -> None:
        folder = tmp_path / "state/.pulumi/stacks/solos"
        folder.mkdir(parents=True)
        (folder / "prod.json").write_text(
            json.dumps({"checkpoint": {"latest": {"secrets_providers": encryption, "resources": resources}}})
        )

    return write


def test_files_for_a_developer(keep: Keep) -> None:
    """Nobody else can read them."""
    keep(CERTIFICATE, PROFILE)

    assert main(["--stack", "prod"]) == 0

    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == {
        "distribution.p12": "the key",
        "distribution.p12.password": "opens it\n",
        "SolOS App Store 3267.mobileprovision": "the profile",
    }
    assert {path.stat().st_mode & 0o777 for path in (FOLDER, *FOLDER.iterdir())} == {0o700, 0o600}


def test_no_certificate(keep: Keep, capsys: pytest.CaptureFixture[str]) -> None:
    keep()

    assert main(["--stack", "prod"]) == 1

    assert "the stack has no certificate: set `signing`, and run `pulumi up`" in capsys.readouterr().err
    assert not FOLDER.exists()


def test_wrong_passphrase(keep: Keep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    keep(CERTIFICATE)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")

    assert main(["--stack", "prod"]) == 1

    assert "incorrect passphrase" in capsys.readouterr().err
