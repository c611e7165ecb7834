"""The team's own commands: what they get from the environment, and what is left of their output."""

from pathlib import Path
from typing import Any

import pytest

from components import command
from rehearsal.engine.local_command import CommandPlugin
from rehearsal.engine.plugins import StepFailed

URN = "urn:pulumi:test::solos::command:local:Command::build"
CREDENTIALS = ("FLY_API_TOKEN", "ASC_PRIVATE_KEY", "PULUMI_CONFIG_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")


@pytest.fixture
def shown() -> list[str]:
    """What people see."""
    return []


@pytest.fixture
def plugin(tmp_path: Path, shown: list[str]) -> CommandPlugin:
    return CommandPlugin(tmp_path, lambda urn, line: shown.append(line))


def inputs(script: str, passed: tuple[str, ...] = command.PASSED) -> dict[str, Any]:
    options = command.options(passed, {"IPA": "build/my app.ipa"})
    return {
        "create": command.logged(script, '"${IPA%.*}.log"'),
        "interpreter": options["interpreter"],
        "environment": options["environment"],
        "addPreviousOutputInEnv": options["add_previous_output_in_env"],
        "logging": options["logging"].value,
    }


def test_environment_is_clean(plugin: CommandPlugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CREDENTIALS, "TMPDIR", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, f"the value of {name}")
    monkeypatch.delenv("DEVELOPER_DIR", raising=False)

    plugin.create(URN, inputs("env", (*command.PASSED, "SSH_AUTH_SOCK")))

    lines = (tmp_path / "build/my app.log").read_text().splitlines()
    assert {"IPA=build/my app.ipa", "TMPDIR=the value of TMPDIR", "SSH_AUTH_SOCK=the value of SSH_AUTH_SOCK"} <= {
        *lines
    }
    assert {line.partition("=")[0] for line in lines} <= {*command.PASSED, "IPA", "SSH_AUTH_SOCK", "PWD", "_", "SHLVL"}
    assert not any("DEVELOPER_DIR" in line for line in lines)


def test_long_output(plugin: CommandPlugin, tmp_path: Path, shown: list[str]) -> None:
    """An environment variable can have 128 KiB, and the state is better without the output."""
    given = inputs("head -c 200000 /dev/zero | tr '\\0' x")

    id, outputs = plugin.create(URN, given)
    again = plugin.update(URN, id, given, outputs, {**given, "environment": {"IPA": "build/other.ipa"}})

    assert shown == ["the log is build/my app.log", "the log is build/other.log"]
    assert len(str(again)) < 2000
    assert (tmp_path / "build/other.log").stat().st_size == 200_000


def test_failure_shows_the_end(plugin: CommandPlugin) -> None:
    script = "seq 100; exit 3"

    with pytest.raises(StepFailed, match=r"(?s)^exit status 3.*\n81\n.*\n100$") as failed:
        plugin.create(URN, inputs(script))

    assert "\n80\n" not in str(failed.value)
