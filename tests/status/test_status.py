"""The status in the terminal: the state of a launched stack, with settings that changed since."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from checklist.rows import ROWS
from harness.program import IMAGE, create_project, stack_file
from project.files import read_yaml
from report.__main__ import main as report
from status.__main__ import main
from tests.checklist import proven
from tests.report.test_state import proven_state

Configure = Callable[..., None]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Writes the stack file of a stack whose state proves every row but the sign-offs, which are in the settings."""
    project, state = tmp_path / "solos", tmp_path / "state" / ".pulumi" / "stacks" / "solos"
    create_project(project)
    state.mkdir(parents=True)
    (state / "prod.json").write_text(json.dumps(proven_state()["deployment"]))
    monkeypatch.chdir(project)
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "state").as_uri())
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)

    def write(**values: Any) -> None:
        file = stack_file(testers=[{"email": proven.ADA, "firstName": "Ada", "lastName": "Ferreira"}], **values)
        (project / "Pulumi.prod.yaml").write_text(yaml.safe_dump(file))

    return write


def sign_offs(**of: str) -> dict[str, Any]:
    plan = Path("infra-docs/smoke-test.toml").read_text()
    features = [line.split('"')[1] for line in plan.splitlines() if line.startswith("key = ")]
    return {
        "of": {"build": "1.0.0 (0)", "image": IMAGE, **of},
        proven.ADA: dict.fromkeys(features, "passed"),
    }


def test_sign_offs_after_last_up(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """The outputs of the stack are older than the settings."""
    configure()
    assert main(["--stack", "prod"]) == 0
    before = capsys.readouterr().out
    configure(signOffs=sign_offs())
    assert main(["--stack", "prod"]) == 0
    after = capsys.readouterr().out

    assert f"  waiting  Smoke test signed off: {proven.ADA} has not signed off install" in before
    assert "           → record each result with `make sign-off`" in before
    assert "  ok       Smoke test signed off: 5 of 5 sign-offs" in after
    assert after.endswith(f"{len(ROWS)} of {len(ROWS)} rows proven.\n")
    assert report(["--stack", "prod"]) == 0
    assert "  ok       Smoke test signed off: 5 of 5 sign-offs" in capsys.readouterr().out


def test_stack_file_of_a_rehearsal(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make rehearse` writes the sign-offs to a copy."""
    configure(signOffs=sign_offs())
    Path(".rehearsal").mkdir()
    Path("../state").rename(".rehearsal/state")
    Path("Pulumi.prod.yaml").rename(".rehearsal/Pulumi.prod.yaml")
    configure()

    for url in ("", Path(".rehearsal/state").absolute().as_uri()):
        monkeypatch.setenv("PULUMI_BACKEND_URL", url)
        assert main(["--stack", "prod"]) == 0
        assert "  ok       Smoke test signed off: 5 of 5 sign-offs" in capsys.readouterr().out


def test_declaration_before_its_record(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure(label="v1", declaredBy="Mara")

    assert main(["--stack", "prod"]) == 0

    assert "Declared launched: Mara declares it, and it is not recorded yet\n           → prove or waive" in (
        capsys.readouterr().out
    )


def test_encrypted_values(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """It needs no passphrase."""
    configure()
    file = read_yaml(Path("Pulumi.prod.yaml"))
    file["config"]["solos:secrets"] = {"SESSION_SECRET": {"secure": "v1:AAAA:BBBB"}}
    Path("Pulumi.prod.yaml").write_text(yaml.safe_dump(file))

    assert main(["--stack", "prod"]) == 0
    assert "rows proven" in capsys.readouterr().out


def test_no_state(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    assert main(["--stack", "other"]) == 2
    assert capsys.readouterr().err.startswith("status: there is no stack other in ")


def test_same_reason_once(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """What to do about rows that are open for the same reason is said below the last one."""
    configure()
    state = next(Path("../state").rglob("prod.json"))
    document = json.loads(state.read_text())
    kept = [resource for resource in document["resources"] if ":Build" not in resource["type"]]
    state.write_text(json.dumps({**document, "resources": kept}))

    assert main(["--stack", "prod"]) == 0

    assert (
        "  missing  Build uploaded: no build yet\n"
        "  missing  Build processed by Apple: no build yet\n"
        "           → set `ipa` to the path of the IPA, then run `pulumi up`\n"
    ) in capsys.readouterr().out
