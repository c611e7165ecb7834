"""The dress rehearsal: the production stack in whatever state its team has brought it, and the committed file stays as it is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from harness.program import CONFIG
from project.crypter import Crypter
from rehearsal import dress
from rehearsal.doubles import Doubles
from rehearsal.stack import RehearsalStack
from rehearsal.standins.solserver import Solserver
from tests.rehearsal.conftest import QUICK, Clone

SECRETS = ("metricsToken", "page", "ticket", "heartbeat", "sinkToken")


def team_stack() -> str:
    """A production stack file after its first launch: with a passphrase of the team's own, and declared."""
    crypter = Crypter.new("the team's own passphrase")
    secret = {"secure": crypter.encrypt("value")}
    config: dict[str, Any] = {
        **{f"solos:{key}": value for key, value in CONFIG.items()},
        **QUICK,
        "solos:app": "solos-team",
        "solos:uniqueNames": "false",
        "solos:archive": "xcodebuild archive",
        "solos:ipa": "build/solmobile.ipa",
        "solos:monitoringSecrets": dict.fromkeys(SECRETS, secret),
        "solos:secrets": {"LITESTREAM_HEARTBEAT_URL": secret},
        "solos:ascKeyId": secret,
        "solos:org": "acme",
        "solos:image": "registry.fly.io/solserver:2.3.4",
        "solos:expectBody": "",
        "solos:testers": [{"email": "kim@team.example", "firstName": "Kim", "lastName": "Ito"}],
        "solos:label": "v1",
        "solos:declaredBy": "Kim Ito",
        "solos:signOffs": {
            "of": {"build": "1.0.0 (0)", "image": "registry.fly.io/solserver:1.0.0"},
            "kim@team.example": {"install": "passed"},
        },
        "solos:earlierReleases": {"v0": "launched"},
    }
    return yaml.safe_dump({"config": config, "encryptionsalt": crypter.salt})


def test_dress_rehearsal_after_a_launch(clone: Clone) -> None:
    committed = team_stack()
    clone.write("Pulumi.prod.yaml", committed)

    assert clone.run("dress") == 0, clone.text

    assert "Replaced by values of this rehearsal: ipa, monitoringSecrets.heartbeat," in clone.text
    assert "secrets.LITESTREAM_HEARTBEAT_URL" in clone.text
    assert "Left out: archive, ascKeyId, declaredBy, earlierReleases, signOffs." in clone.text
    assert "Rehearsed: the stack prod launches from nothing" in clone.text
    assert (clone.folder / "Pulumi.prod.yaml").read_text() == committed


@pytest.mark.parametrize(("monitoring", "named"), [({}, "protect.\n"), ({"page": "slack"}, "protect, monitoring.\n")])
def test_changed_keys_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monitoring: dict[str, str], named: str
) -> None:
    """A stack without a monitor does not get one."""
    ipa = tmp_path / "acme.ipa"
    ipa.touch()
    stack = SimpleNamespace(
        config={"ipa": str(ipa), "monitoring": monitoring}, folder=tmp_path, removed_secrets=[], encrypted=str
    )

    dress.changes(cast(RehearsalStack, stack), cast(Doubles, SimpleNamespace(endpoints={}, control="http://control")))

    assert f"changed: endpoints, credentialsFile, {named}" in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "own"), [("sqlite", False), ("postgres", False), ("external", True), ("none", True)])
def test_server_fits_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, own: bool) -> None:
    """The doubles have no database of the kinds external and none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fly.toml").touch()
    asked: dict[str, dict[str, Any]] = {}
    config = {"org": "acme", "image": "acme/api:1", "testers": [], "database": {"kind": kind}}
    doubles = SimpleNamespace(
        credentials={"FLY_API_TOKEN": "t"}, do=lambda path, **body: asked.setdefault(path, {}).update(body)
    )

    dress.add_to_world(cast(RehearsalStack, SimpleNamespace(config=config)), cast(Doubles, doubles))

    assert asked["/fly/images"]["own_database"] is own


def test_server_with_an_own_database(tmp_path: Path) -> None:
    """It needs neither DATABASE_PATH nor DATABASE_URL, and does not connect to the latter."""
    outside = {"DATABASE_URL": "postgres://kim:secret@database.example/acme"}

    for env in ({}, outside):
        server = Solserver(env, tmp_path, lambda _: None, health=["/healthz"], own_database=True)
        assert server.handle("GET", "/healthz")[0] == 200


def test_connection_string_keeps_its_form(tmp_path: Path) -> None:
    """The preview refuses another placeholder."""
    ipa = tmp_path / "acme.ipa"
    ipa.touch()
    stack = SimpleNamespace(
        config={"ipa": str(ipa)}, folder=tmp_path, removed_secrets=["secrets.DATABASE_URL"], encrypted=str
    )

    changed = dress.changes(
        cast(RehearsalStack, stack), cast(Doubles, SimpleNamespace(endpoints={}, control="http://control"))
    )

    assert changed["secrets"]["DATABASE_URL"].startswith("postgres://")
