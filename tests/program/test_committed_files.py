"""The stack files and the fly.toml of the repository are valid, also after a team has made them its own.

No passphrase is known here: an encrypted value counts as one that fits its key.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import BadSettings, read
from harness.program import ROOT, create_project, engine_config
from rehearsal.engine.stack_file import StackFile
from tests.program.test_settings import MONITORING_SECRETS

STACKS = ("prod", "rehearsal", "live")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with its committed stack files and fly.toml, for a test to edit."""
    folder = tmp_path / "project"
    create_project(folder)
    for name in ("fly.toml", *(f"Pulumi.{stack}.yaml" for stack in STACKS)):
        shutil.copy(ROOT / name, folder)
    return folder


def problems(project: Path, stack: str) -> list[str]:
    """What the program refuses of this stack, were the checkout of its app here."""
    config = yaml.safe_load((project / f"Pulumi.{stack}.yaml").read_text())["config"]
    values = {key.removeprefix("solos:"): value for key, value in config.items()}
    secret = [f"solos:{key}" for key, value in values.items() if _is_encrypted(value)]
    values = {key: _opened(key, value) for key, value in values.items() if key != "signingSecrets"}
    if "monitoring" in values:
        values["monitoringSecrets"] = _receivers(values["monitoring"])
        secret.append("solos:monitoringSecrets")
    if "xcode" in values:
        (project / values["xcode"]["checkout"]).mkdir(parents=True, exist_ok=True)
    try:
        read(engine_config(values), secret, project, "solos")
    except BadSettings as refused:
        return [str(problem) for problem in refused.problems]
    return []


def _is_encrypted(value: Any) -> bool:
    return isinstance(value, Mapping) and ("secure" in value or any(map(_is_encrypted, value.values())))


def _opened(key: str, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"secure"}:
        return MONITORING_SECRETS.get(key, "opened")
    return {inner: _opened(inner, item) for inner, item in value.items()}


def _receivers(monitoring: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in MONITORING_SECRETS.items() if name != "sinkToken" or "sink" in monitoring}


def edit(project: Path, **changes: Any) -> None:
    """Set keys of Pulumi.prod.yaml."""
    path = project / "Pulumi.prod.yaml"
    document = yaml.safe_load(path.read_text())
    document["config"] |= {f"solos:{key}": value for key, value in changes.items()}
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def first_deployment(project: Path) -> None:
    """As the runbook begins: a passphrase of the team's own, and five secrets."""
    path = project / "Pulumi.prod.yaml"
    path.write_text(re.sub(r"(?m)^encryptionsalt: .*\n", "", path.read_text()))
    file = StackFile(project, "prod")
    file.init()
    for name, value in MONITORING_SECRETS.items():
        file.set(f"solos:monitoringSecrets.{name}", value, path=True, secret=True, as_text=False)


def other_names(project: Path) -> None:
    edit(project, org="acme", image="registry.fly.io/acme-server:2.4.1", expectBody='"2.4.1"')
    edit(project, bundleId="io.acme.app", appName="Acme", version="2.4.1", build=17, group="Friends")
    fly_toml = project / "fly.toml"
    lines = fly_toml.read_text().splitlines(keepends=True)
    values = {"app ": 'app = "acme-prod"\n', "primary_region ": 'primary_region = "ams"\n'}
    fly_toml.write_text("".join(values.get(line.partition("=")[0].rstrip() + " ", line) for line in lines))


def other_testers(project: Path) -> None:
    edit(project, testers=[{"email": "noa@acme.example", "firstName": "Noa", "lastName": "Berg"}], signOffs={})


def declared(project: Path) -> None:
    other_testers(project)
    edit(project, ipa="build/solmobile.ipa", signOffs=SIGN_OFFS, declaredBy="Noa Berg")


def next_release(project: Path) -> None:
    edit(project, label="v1", version="1.1.0", build="3", earlierReleases={"v0": "launched", "v-1": "withdrawn: slow"})


SIGN_OFFS = {
    "of": {"build": "1.0.0 (0)", "image": "registry.fly.io/solserver:1.0.0"},
    "noa@acme.example": {"install": "passed"},
}
STATES: list[Callable[[Path], None]] = [first_deployment, other_names, other_testers, declared, next_release]


@pytest.mark.parametrize("stack", STACKS)
def test_committed_stack_is_valid(project: Path, stack: str) -> None:
    assert problems(project, stack) == []


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_production_stays_valid(project: Path, state: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of this a team does first: each is applied to the files as they are now."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "the team's own")

    state(project)

    assert problems(project, "prod") == []


def test_mistake_is_found(project: Path) -> None:
    edit(project, orgg="acme")

    assert problems(project, "prod") == ["orgg: is unknown; did you mean org?"]


def test_only_live_talks_to_fly() -> None:
    """Apple is played in every rehearsal, Fly in all but this one."""
    live = yaml.safe_load((ROOT / "Pulumi.live.yaml").read_text())["config"]
    rehearsal = yaml.safe_load((ROOT / "Pulumi.rehearsal.yaml").read_text())["config"]

    assert live["solos:endpoints"].keys() == {"appstore"}
    assert rehearsal["solos:endpoints"].keys() == {"fly", "flyPlatform", "registry", "proxy", "appstore", "betterStack"}
    assert [str(stack["solos:protect"]).lower() for stack in (live, rehearsal)] == ["false", "false"]
