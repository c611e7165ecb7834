"""What a person does to a stack besides running it, `pulumi config` and `pulumi state`, alike on both engines."""

import subprocess
from typing import Any

import pytest
import yaml

from tests.engine.conftest import Things


def typed(command: list[str], given: str = "") -> str:
    """What it prints; it has to succeed."""
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
def test_a_value_is_kept_where_its_path_leads(things: Things, arguments: list[str], kept: dict[str, Any]) -> None:
    typed(things.command("config", "set", *arguments))

    config = yaml.safe_load((things.folder / "Pulumi.dev.yaml").read_text())["config"]
    assert {key: config[key] for key in kept} == kept


def test_a_secret_is_encrypted_and_can_be_read_and_removed(things: Things) -> None:
    path = ["--path", "plan.token"]
    put, get, take = (
        things.command("config", *words) for words in (["set", "--secret", *path], ["get", *path], ["rm", *path])
    )

    typed(put, "swordfish\n")

    assert "swordfish" not in (things.folder / "Pulumi.dev.yaml").read_text()
    assert typed(get).strip() == "swordfish"
    typed(take)
    assert "token" not in (things.folder / "Pulumi.dev.yaml").read_text()


def test_what_is_taken_out_of_the_state_stays_in_the_world(things: Things) -> None:
    assert things.up() == 0, things.text
    urns = {name: entry["urn"] for name, entry in things.state().items()}

    refused = subprocess.run(
        things.command("state", "delete", urns["first"], "--yes"), capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "can't be safely deleted" in refused.stdout + refused.stderr

    typed(things.command("state", "delete", urns["second"], "--yes"))
    assert "second" not in things.state()
    assert things.only("second").exists()


def test_protection_is_lifted_in_the_state(things: Things) -> None:
    assert things.up(plan={"protect": True}) == 0, things.text

    typed(things.command("state", "unprotect", "--all", "--yes"))

    assert not things.state()["first"].get("protect")
