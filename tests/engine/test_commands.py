"""`pulumi config` and `pulumi state`, on both engines."""

import gc
import subprocess
import warnings
from typing import Any

import pytest
import yaml

from rehearsal.engine.local_stack import load
from rehearsal.engine.operations import Engine
from tests.engine.conftest import ROOT, Things

NAME_RULE = "a stack name may only contain alphanumeric, hyphens, underscores, or periods: invalid character"
REFUSED_NAMES = {
    "a b": f"{NAME_RULE} ' ' at position 1",
    "größe": f"{NAME_RULE} 'Ã' at position 2",
    "a" * 101: "a stack name cannot exceed 100 characters",
    "organization/": "a stack name may not be empty",
    "team/dev": "organization name must be 'organization'",
    "organization/other/dev": "no stack named 'organization/other/dev' found",
}


def output_of(command: list[str], given: str = "") -> str:
    """Run a command that must succeed. Returns its output."""
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["colour", "07"], {"things:colour": "07"}),
        (["--path", "plan.chained", "true"], {"things:plan": {"chained": True}}),
        (["--path", "plan.chained", "true", "--type", "string"], {"things:plan": {"chained": "true"}}),
        (["--path", "plan.at", "3"], {"things:plan": {"at": 3}}),
        (["--path", "things:plan.without[0]", "second"], {"things:plan": {"without": ["second"]}}),
        (
            ["--path", 'plan["ada@sollabs.example"].install', "passed"],
            {"things:plan": {"ada@sollabs.example": {"install": "passed"}}},
        ),
    ],
)
def test_config_set(things: Things, arguments: list[str], kept: dict[str, Any]) -> None:
    output_of(things.command("config", "set", *arguments))

    config = yaml.safe_load((things.folder / "Pulumi.dev.yaml").read_text())["config"]
    assert {key: config[key] for key in kept} == kept


def test_config_secret(things: Things) -> None:
    """A secret is encrypted in the file; it can be read and removed."""
    path = ["--path", "plan.token"]
    put, get, take = (
        things.command("config", *words) for words in (["set", "--secret", *path], ["get", *path], ["rm", *path])
    )

    output_of(put, "swordfish\n")

    assert "swordfish" not in (things.folder / "Pulumi.dev.yaml").read_text()
    assert output_of(get).strip() == "swordfish"
    output_of(take)
    assert "token" not in (things.folder / "Pulumi.dev.yaml").read_text()


def test_stack_init_twice(things: Things) -> None:
    """The second time it is refused, and changes nothing; also if the stack file was deleted."""
    init = [word for word in things.command("stack", "init", "new") if word not in ("--stack", "dev")]
    output_of(init)
    (things.folder / "Pulumi.new.yaml").unlink()

    again = subprocess.run(init, capture_output=True, text=True, check=False)

    assert again.returncode != 0
    assert "stack 'organization/things/new' already exists" in again.stderr
    assert not (things.folder / "Pulumi.new.yaml").exists()


def test_refused_stack_names(things: Things) -> None:
    for name, message in REFUSED_NAMES.items():
        refused = subprocess.run(with_name(name, things, "preview"), capture_output=True, text=True, check=False)

        assert refused.returncode != 0
        assert refused.stderr == f"error: {message}\n"


def test_refused_name_leaves_no_file(things: Things) -> None:
    setting = with_name("a b", things, "config", "set", "colour", "red")
    creating = [word for word in with_name("a b", things, "stack", "init") if word != "--stack"]
    files = sorted(things.folder.glob("*.yaml"))

    for command in (setting, creating):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)

        assert refused.stderr == f"error: {REFUSED_NAMES['a b']}\n"
        assert sorted(things.folder.glob("*.yaml")) == files


def test_qualified_stack_name(things: Things) -> None:
    output_of(with_name("organization/things/dev", things, "config", "set", "colour", "red"))

    assert yaml.safe_load((things.folder / "Pulumi.dev.yaml").read_text())["config"]["things:colour"] == "red"


def with_name(name: str, things: Things, *words: str) -> list[str]:
    """The command for the stack of that name."""
    return [name if word == "dev" else word for word in things.command(*words)]


def test_state_delete(things: Things) -> None:
    """Removing a resource from the state keeps the object."""
    assert things.up() == 0, things.text
    urns = {name: entry["urn"] for name, entry in things.state().items()}

    refused = subprocess.run(
        things.command("state", "delete", urns["first"], "--yes"), capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "can't be safely deleted" in refused.stdout + refused.stderr

    output_of(things.command("state", "delete", urns["second"], "--yes"))
    assert "second" not in things.state()
    assert things.only("second").exists()


def test_state_unprotect(things: Things) -> None:
    assert things.up(plan={"protect": True}) == 0, things.text

    output_of(things.command("state", "unprotect", "--all", "--yes"))

    assert not things.state()["first"].get("protect")


def test_pipes_are_closed(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the program and of the provider process, in a run and at its end."""
    if things.engine == "pulumi":
        pytest.skip("about the embedded engine")
    monkeypatch.chdir(ROOT)
    things.command("up")  # writes the stack file

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        display = Engine(load(things.folder, "dev")).up()
        gc.collect()

    assert not display.errors
    assert [str(warning.message) for warning in seen] == []
