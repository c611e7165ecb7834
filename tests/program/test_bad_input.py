"""Mistakes in the settings, on both engines: all are reported at preview, each with its key or line, without any call."""

from pathlib import Path

import pytest

from harness.program import Stack, calls
from rehearsal.standins import ipa


def test_reports_all_mistakes(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(orgg="sol-labs", version="1.0.0-v0")
    stack.configure(app="solos-mistaken", uniqueNames="false", whatToTest={"en-US": ["go"]})
    ada = {"email": "ada@sollabs.example", "firstName": "Ada", "lastName": "Ferreira"}
    stack.configure(testers=[ada, {**ada, "email": "ADA@sollabs.example"}, {**ada, "email": "ada.sollabs"}])
    stack.edit("fly.toml", "min_machines_running = 1", "min_machines_running = 2")
    stack.edit("fly.toml", 'DATABASE_PATH = "/data/solos.sqlite3"', 'DATABASE_PATH = "/tmp/solos.sqlite3"')

    assert stack.run("preview") != 0

    found = [line.strip() for line in stack.text.splitlines() if line.strip().startswith(("solos:", "fly.toml:"))]
    for start, what in {
        "fly.toml:15: ": "DATABASE_PATH is /tmp/solos.sqlite3, which is not on the volume at /data",
        "fly.toml:33: ": "min_machines_running is 2, but the backend runs on one machine",
        "solos:orgg: ": "is unknown; did you mean org?",
        "solos:version: ": "version '1.0.0-v0' is not valid: Apple accepts one to three",
        "solos:whatToTest.en-US: ": "must be a string",
        "solos:testers: 'ada.sollabs' ": "is not a valid e-mail address",
        "solos:testers: ada@sollabs.example ": "is listed 2 times",
    }.items():
        assert [line for line in found if line.startswith(start) and what in line], f"{start}{what}:\n{stack.text}"
    assert "nothing was changed" in stack.text
    assert calls(addresses) == []


def test_unfitting_ipa(stack: Stack, addresses: dict[str, str], tmp_path: Path) -> None:
    """In the first preview, when nothing exists that could be asked."""
    elsewhere: dict[str, object] = {"API_BASE_URL": "https://elsewhere.example"}
    ipa.write(tmp_path / "other.ipa", bundle_id="com.sollabs.other", version="0.9.0", build="7", info=elsewhere)
    stack.configure(app="solos-mistaken", uniqueNames="false", archive="", ipa=str(tmp_path / "other.ipa"))

    assert stack.run("preview") != 0

    for problem in (
        "its bundle ID is 'com.sollabs.other', the stack's is 'com.sollabs.solos.rehearsal'",
        "its version is 0.9.0, the stack's is 1.0.0",
        "its Info.plist has API_BASE_URL = https://elsewhere.example, the stack expects https://solos-mistaken.fly.dev",
    ):
        assert f"{tmp_path}/other.ipa: {problem}" in stack.text, stack.text
    assert calls(addresses) == []


def test_missing_volume(stack: Stack, addresses: dict[str, str]) -> None:
    stack.edit("fly.toml", 'source = "data"', "")

    assert stack.run("preview") != 0

    assert "fly.toml:18: " in stack.text
    assert calls(addresses) == []


def test_missing_ipa(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(archive="", ipa="build/none.ipa")

    assert stack.run("preview") != 0

    assert "there is no IPA at build/none.ipa, and build 0 of 1.0.0 is not uploaded yet; build it, or" in stack.text
    assert calls(addresses) == []


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("waitForAppRecord", "long", "configuration key 'waitForAppRecord' must be of type 'integer'"),
        ("testers", "ada", "configuration key 'testers' must be of type 'array<object>'"),
        ("org", None, "solos:org: is missing"),
    ],
)
def test_refused_type(stack: Stack, key: str, value: str | None, problem: str) -> None:
    stack.configure(**{key: value})

    assert stack.run("preview") != 0

    assert stack.text.count(problem) == 1, stack.text
    assert "Traceback" not in stack.text
