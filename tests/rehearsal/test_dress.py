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
