"""The secrets: one batch per change, drift found by digest, foreign secrets left alone, no value readable anywhere."""

import re
from typing import Any

import httpx
import pytest

from harness.driver import Driven, Refused
from harness.inprocess import FLY_TOKEN, Doubles
from providers.errors import ProviderError
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.fly.conftest import Configured

VALUES = {"SESSION_KEY": "top-secret-one", "API_KEY": "top-secret-two"}


@pytest.fixture
def secrets(app: Driven, configured: Configured) -> Driven:
    secrets = Driven(configured(SecretsProvider))
    secrets.up(app="solos-prod", values=VALUES)
    return secrets


def at_fly(world: World) -> dict[str, str]:
    (held,) = world.store.all("fly_secrets")
    return {name: secret["value"] for name, secret in held["now"].items()}


def writes(world: World) -> list[Any]:
    entries = world.journal.entries("fly")
    return [entry for entry in entries if entry["method"] == "POST" and entry["path"].endswith("/secrets")]


def set_by_hand(world: World, **values: str | None) -> None:
    """`fly secrets set` and `unset`."""
    with httpx.Client(transport=Doubles(world), base_url="http://fly.test/v1") as fly:
        headers = {"Authorization": f"Bearer {FLY_TOKEN}"}
        fly.post("/apps/solos-prod/secrets", json={"values": values}, headers=headers).raise_for_status()


def test_creation_is_one_batch(secrets: Driven, world: World) -> None:
    assert at_fly(world) == VALUES
    assert len(writes(world)) == 1
    assert secrets.outputs["version"] == 1


def test_change_is_one_batch(secrets: Driven, world: World) -> None:
    secrets.up(app="solos-prod", values={"SESSION_KEY": "top-secret-three", "ADDED": "top-secret-four"})

    assert at_fly(world) == {"SESSION_KEY": "top-secret-three", "ADDED": "top-secret-four"}
    assert len(writes(world)) == 2
    assert secrets.outputs["version"] == 2
    assert sorted(secrets.outputs["digests"]) == ["ADDED", "SESSION_KEY"]


def test_preview_names_changed_secrets(secrets: Driven, said: list[str]) -> None:
    secrets.diff(app="solos-prod", values={"SESSION_KEY": "top-secret-three", "ADDED": "top-secret-four"})

    assert said == ["secrets: ADDED added, API_KEY removed, SESSION_KEY changed"]


def test_preview_names_secret_changed_elsewhere(secrets: Driven, world: World, said: list[str]) -> None:
    set_by_hand(world, API_KEY="top-secret-five")

    secrets.refresh()
    secrets.diff(app="solos-prod", values=VALUES)

    assert said == ["secrets: API_KEY was changed elsewhere and is set back"]


def test_refresh_shows_secrets_of_others(
    machine: Driven, arguments: dict[str, Any], secrets: Driven, world: World, said: list[str]
) -> None:
    """Somebody has run `fly secrets set`, and later `fly secrets set --stage`."""
    set_by_hand(world, THEIRS="top-secret-five")
    world.clock.sleep(5)
    machine.up(**{**arguments, "secrets_version": 2})
    world.clock.sleep(5)
    set_by_hand(world, STAGED="top-secret-six")

    secrets.refresh()

    staged = "STAGED (staged: the machine gets it with its next update)"
    assert said[-1:] == [f"app solos-prod has secrets that this stack does not set: {staged}, THEIRS"]


def test_preview_of_unchanged_secrets(secrets: Driven, said: list[str]) -> None:
    secrets.diff(app="solos-prod", values=VALUES)

    assert said == []


def test_second_up_writes_nothing(secrets: Driven, world: World) -> None:
    secrets.up(app="solos-prod", values=VALUES)

    assert secrets.steps[-1] == "same"
    assert len(writes(world)) == 1


def test_changed_value_is_repaired(secrets: Driven, world: World) -> None:
    set_by_hand(world, API_KEY="theirs")

    secrets.refresh()
    shown = secrets.inputs["values"]
    secrets.up(app="solos-prod", values=VALUES)

    assert shown == {"SESSION_KEY": "top-secret-one", "API_KEY": "(changed elsewhere)"}
    assert at_fly(world) == VALUES


def test_unset_secret_is_repaired(secrets: Driven, world: World) -> None:
    set_by_hand(world, API_KEY=None)

    secrets.refresh()
    secrets.up(app="solos-prod", values=VALUES)

    assert at_fly(world) == VALUES


def test_foreign_secrets_stay(secrets: Driven, world: World) -> None:
    set_by_hand(world, THEIRS="x")

    secrets.refresh()
    secrets.up(app="solos-prod", values={"SESSION_KEY": "top-secret-one"})
    secrets.destroy()

    assert secrets.steps[-2:] == ["read", "update"]
    assert at_fly(world) == {"THEIRS": "x"}


def test_missing_secrets_are_gone(secrets: Driven, configured: Configured, world: World) -> None:
    Driven(secrets.provider, id=secrets.id, outputs=secrets.outputs).destroy()

    assert secrets.refresh() is False


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"BAD-NAME": "hidden-value"}, "secret name 'BAD-NAME' is not a valid environment variable"),
        ({"EMPTY": "", "1ST": "hidden-value"}, "secret EMPTY has an empty value"),
    ],
)
def test_bad_secrets_are_refused(
    app: Driven, configured: Configured, world: World, values: dict[str, str], problem: str
) -> None:
    with pytest.raises(Refused, match=re.escape(problem)) as refused:
        Driven(configured(SecretsProvider)).up(app="solos-prod", values=values)

    assert "hidden-value" not in str(refused.value)
    assert writes(world) == []


@pytest.mark.parametrize("kind", ["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"])
def test_write_survives_faults(app: Driven, configured: Configured, world: World, kind: Kind) -> None:
    world.faults.arm(Fault(kind, service="fly", method="POST"))
    secrets = Driven(configured(SecretsProvider))

    secrets.up(app="solos-prod", values=VALUES)

    assert at_fly(world) == VALUES


def test_values_stay_secret(secrets: Driven, world: World) -> None:
    world.faults.arm(Fault("refuse", service="fly", method="POST", status=422))

    with pytest.raises(ProviderError) as refused:
        secrets.up(app="solos-prod", values={"SESSION_KEY": "top-secret-three"})

    assert "top-secret" not in f"{refused.value!r} {world.journal.entries('fly')}"
