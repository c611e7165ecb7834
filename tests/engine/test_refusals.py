"""What the embedded engine does not support: refused before anything is created, with a remedy."""

import pytest

from rehearsal.endpoints import NOWHERE
from tests.engine.conftest import Things

pytestmark = pytest.mark.parametrize("things", ["embedded"], indirect=True)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (
            "pulumi.CustomResource('aws:s3/bucket:Bucket', 'files', {})",
            "the embedded engine has no plugin aws, which serves aws:s3/bucket:Bucket: install the Pulumi CLI for it",
        ),
        ("random.RandomUuid('id')", "the embedded engine does not serve random:index/randomUuid:RandomUuid"),
        (
            "pulumi.ProviderResource('aws', 'mine', {})",
            "the embedded engine does not serve explicit providers: install the Pulumi CLI for it",
        ),
        (
            "Thing('found', colour='red', opts=pulumi.ResourceOptions(import_='found-1'))",
            "the embedded engine does not serve the option import_: install the Pulumi CLI for it",
        ),
        (
            "command.local.Command('files', create='true', asset_paths=['*'])",
            "the embedded engine does not serve assetPaths of command:local:Command",
        ),
    ],
)
def test_unsupported_features(things: Things, declaration: str, message: str) -> None:
    program = things.folder / "__main__.py"
    program.write_text(f"{program.read_text()}\n{declaration}\n")

    assert things.up() == 1

    assert message in things.text
    assert "Traceback" not in things.text


def test_remote_endpoint(things: Things) -> None:
    endpoints = {**NOWHERE, "fly": "https://api.machines.dev", "extra": "http://192.0.2.1:80"}
    del endpoints["proxy"]

    assert things.up(endpoints=endpoints) == 1

    assert things.text.count("\n") == 1
    assert "fly (https://api.machines.dev)" in things.text
    assert "extra (http://192.0.2.1:80)" in things.text
    assert "proxy" in things.text
    assert "use the Pulumi CLI for this stack, or set these to `python -m rehearsal serve`" in things.text
    assert things.calls() == set()


def test_remote_backend(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://team-state")

    assert things.preview() == 1

    assert "keeps state in files only, not at s3://team-state: set PULUMI_BACKEND_URL=file://" in things.text


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        (
            "mistyped",
            "incorrect passphrase for this stack: set PULUMI_CONFIG_PASSPHRASE to the one it was created with",
        ),
        (None, "stack dev needs its passphrase: set PULUMI_CONFIG_PASSPHRASE"),
    ],
)
def test_wrong_passphrase(
    things: Things, monkeypatch: pytest.MonkeyPatch, passphrase: str | None, message: str
) -> None:
    if passphrase:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase)
    else:
        monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")

    assert things.preview() == 1

    assert message in things.text
    assert things.text.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Pulumi.yaml", "name: [", "Pulumi.yaml is not valid YAML"),
        ("Pulumi.yaml", "- a\n", "is not a mapping of keys to values"),
    ],
)
def test_invalid_file(things: Things, name: str, text: str, message: str) -> None:
    (things.folder / name).write_text(text)

    assert things.preview() == 1

    assert message in things.text
    assert "Traceback" not in things.text


def test_missing_project(things: Things) -> None:
    (things.folder / "Pulumi.yaml").unlink()

    assert things.preview() == 1

    assert "run this in a folder with a Pulumi project" in things.text
