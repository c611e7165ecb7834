"""The survey of an app: what is adopted and stays, and what would get a second one next to it."""

from typing import Any

import pytest

from harness.driver import Driven
from providers.errors import ProviderError
from providers.fly.app import AppProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.secrets import SecretsProvider
from providers.fly.survey import SurveyProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.world import World
from tests.fly.backend import living
from tests.fly.conftest import APP, Configured

CLAIMS: dict[str, Any] = {
    "app": "solos-prod",
    "org": "sol-labs",
    "machines": ["solos"],
    "volume": "solos_data",
    "region": "sjc",
    "addresses": ["shared_v4", "v6"],
    "secrets": ["SESSION_SECRET"],
    "kept_secrets": ["SESSION_SECRET"],
}


@pytest.fixture
def survey(configured: Configured) -> Driven:
    return Driven(configured(SurveyProvider))


def secrets_of(world: World) -> dict[str, str]:
    (found,) = world.store.all("fly_secrets")
    return {name: secret["value"] for name, secret in found["now"].items()}


def test_new_app(survey: Driven, world: World) -> None:
    """One call: nothing exists, so nothing is adopted."""
    outputs = survey.up(**CLAIMS)

    assert outputs["adopted"] == outputs["found_apps"] == []
    assert [call["path"] for call in world.journal.entries("fly")] == ["/v1/apps/solos-prod"]


def test_adopted_objects_are_named(survey: Driven, machine: Driven, configured: Configured) -> None:
    Driven(configured(SecretsProvider)).up(app="solos-prod", values={"SESSION_SECRET": "one"})

    adopted = "\n".join(survey.up(**CLAIMS)["adopted"])

    for phrase in (
        "app solos-prod",
        f"machine {machine.id} (solos, sjc)",
        "volume vol_",
        "address 66.",
        "SESSION_SECRET",
    ):
        assert phrase in adopted


def test_what_existed_stays(
    survey: Driven, machine: Driven, arguments: dict[str, Any], configured: Configured, world: World
) -> None:
    """A second stack adopts everything, creates an address of its own, and is destroyed."""
    found = survey.up(**CLAIMS)
    second = {
        AppProvider: {**APP, "existed": found["found_apps"]},
        VolumeProvider: {"app": "solos-prod", "name": "solos_data", "region": "sjc", "existed": found["found_volumes"]},
        IpAddressProvider: {"app": "solos-prod", "type": "v6", "existed": found["found_addresses"]},
        MachineProvider: {**arguments, "existed": found["found_machines"]},
    }
    stack = [(Driven(configured(provider)), given) for provider, given in second.items()]
    for resource, given in stack:
        resource.up(**given)
        assert not resource.diff(**{**given, "existed": []}).changes

    for resource, _ in reversed(stack):
        resource.refresh()
        resource.destroy()

    assert [item["id"] for item in living(world, "fly_machine")] == [machine.id]
    assert len(living(world, "fly_app")) == len(living(world, "fly_volume")) == 1
    assert [address["type"] for address in living(world, "fly_ip")] == ["shared_v4"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"region": "lax"}, "and this stack would not use it but volume solos_data in lax, which is empty"),
        ({"volume": "data"}, "and this stack would not use it but volume data in sjc, which is empty"),
        ({"machines": ["solserver"]}, "and this stack would create solserver next to it"),
        ({"volume": None, "cluster": "solos-db"}, "would not use it but cluster solos-db, which is empty"),
    ],
)
def test_second_database_is_refused(survey: Driven, machine: Driven, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderError, match=reason) as refusal:
        survey.up(**{**CLAIMS, **changes})

    assert "import it" in str(refusal.value)
    assert survey.steps == []


@pytest.mark.parametrize("kind", [{}, {"volume": None, "cluster": "solos-db"}])
def test_other_postgres_is_refused(
    survey: Driven, app: Driven, configured: Configured, kind: dict[str, str | None]
) -> None:
    """The app uses a cluster that this stack would not adopt."""
    Driven(configured(SecretsProvider)).up(app="solos-prod", values={"DATABASE_URL": "postgresql://elsewhere"})

    with pytest.raises(ProviderError, match="has the secret DATABASE_URL"):
        survey.up(**{**CLAIMS, **kind})


def test_own_postgres_is_adopted(survey: Driven, app: Driven, configured: Configured) -> None:
    Driven(configured(SecretsProvider)).up(app="solos-prod", values={"DATABASE_URL": "postgresql://solos-db"})
    cluster = Driven(configured(ManagedPostgresProvider))
    cluster.up(org="sol-labs", name="solos-db", region="sjc")

    found = survey.up(**{**CLAIMS, "volume": None, "cluster": "solos-db"})

    assert found["found_clusters"] == [cluster.id]


def test_survey_is_taken_once(survey: Driven, app: Driven, world: World) -> None:
    """What the stack creates later has not existed before."""
    survey.up(**CLAIMS)
    before = len(world.journal.entries("fly"))

    survey.up(**{**CLAIMS, "machines": ["renamed"]})

    assert survey.steps == ["create", "same"]
    assert len(world.journal.entries("fly")) == before


def test_existing_secret_is_never_unset(app: Driven, configured: Configured, world: World) -> None:
    """A stack that sets it, stops setting it, and is destroyed leaves its last value."""
    Driven(configured(SecretsProvider)).up(app="solos-prod", values={"SESSION_SECRET": "before"})
    secrets = Driven(configured(SecretsProvider))
    kept = {"app": "solos-prod", "existed": ["SESSION_SECRET"]}

    secrets.up(**kept, values={"KEY": "ours"})
    assert secrets_of(world) == {"SESSION_SECRET": "before", "KEY": "ours"}
    secrets.up(**kept, values={"KEY": "ours", "SESSION_SECRET": "rotated"})
    secrets.up(**kept, values={"KEY": "ours"})
    secrets.destroy()

    assert secrets_of(world) == {"SESSION_SECRET": "rotated"}
