"""A tester records what they have tried, in the stack file."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.program import IMAGE, create_project, stack_file
from status.sign_off import main

SignOff = Callable[..., int]
FILE = Path("Pulumi.prod.yaml")
ADA = "ada@sollabs.example"
OF = {"build": "1.0.0 (0)", "image": IMAGE}


@pytest.fixture
def sign_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignOff:
    """Runs the command in a project with a comment in its stack file."""
    create_project(tmp_path / "solos")
    monkeypatch.chdir(tmp_path / "solos")
    text = yaml.safe_dump(stack_file(), sort_keys=False)
    FILE.write_text(text.replace("encryptionsalt:", "# keep this line\nencryptionsalt:"))
    FILE.chmod(0o640)
    return lambda *words: main(["--stack", "prod", *words])


def written() -> object:
    return yaml.safe_load(FILE.read_text())["config"].get("solos:signOffs")


def test_first_sign_off(sign_off: SignOff, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the lines of the sign-offs change."""
    before = FILE.read_text()

    assert sign_off("--as", ADA, "install", "sign-up") == 0

    assert written() == {"of": OF, ADA: {"install": "passed", "sign-up": "passed"}}
    assert capsys.readouterr().out == (
        f"Pulumi.prod.yaml, solos:signOffs, of 1.0.0 (0) with {IMAGE}:\n  {ADA}:\n    install: passed\n    sign-up: passed\n"
        f"{ADA} has not signed off add-a-day, second-device, next-day. Commit the file.\n"
    )
    added = set(FILE.read_text().splitlines()) - set(before.splitlines())
    assert len(added) == 7
    assert [line for line in before.splitlines() if line not in FILE.read_text().splitlines()] == []
    assert FILE.stat().st_mode & 0o777 == 0o640


def test_second_result_is_added(sign_off: SignOff, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign_off("--as", ADA, "install", "--failed", "it closes") == 0
    assert sign_off("--as", "jun@sollabs.example", "install") == 0
    assert sign_off("--as", ADA, "install") == 0

    assert written() == {"of": OF, ADA: {"install": "passed"}, "jun@sollabs.example": {"install": "passed"}}
    assert "install: passed (was: failed: it closes)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--as", ADA, "install"), f"{ADA} has signed off install of 1.0.0 (0) with {IMAGE} already: passed"),
        (
            ("--as", "noa@sollabs.example", "install"),
            "solos:signOffs.noa@sollabs.example: is not one of `testers`; these are ada@sollabs.example",
        ),
        (("--as", ADA, "instal"), f"solos:signOffs.{ADA}.instal: is not a feature of the smoke test"),
    ],
)
def test_refused_sign_off(
    sign_off: SignOff, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written."""
    assert sign_off("--as", ADA, "install") == 0
    before = FILE.read_text()

    assert sign_off(*words) == 1

    assert message in capsys.readouterr().err
    assert FILE.read_text() == before
    assert [path.name for path in Path().glob("*.draft")] == []


def test_sign_offs_of_earlier_build_are_replaced(sign_off: SignOff, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign_off("--as", ADA, "install") == 0
    FILE.write_text(FILE.read_text().replace("solos:build: '0'", "solos:build: '1'"))

    assert sign_off("--as", ADA, "sign-up") == 0

    assert written() == {"of": {"build": "1.0.0 (1)", "image": IMAGE}, ADA: {"sign-up": "passed"}}
    assert "which did not count any more, are removed" in capsys.readouterr().out


def test_malformed_sign_offs(sign_off: SignOff, capsys: pytest.CaptureFixture[str]) -> None:
    """They are not lost."""
    file = stack_file(signOffs={"of": OF, "jun@sollabs.example": "passed"})
    FILE.write_text(yaml.safe_dump(file))

    assert sign_off("--as", ADA, "install") == 1

    assert "solos:signOffs.jun@sollabs.example: must be an object" in capsys.readouterr().err
    assert yaml.safe_load(FILE.read_text()) == file


def test_tester_from_git(sign_off: SignOff) -> None:
    for words in (("init", "-q"), ("config", "user.email", ADA)):
        subprocess.run(["git", *words], check=True)

    assert sign_off("install") == 0

    assert written() == {"of": OF, ADA: {"install": "passed"}}
