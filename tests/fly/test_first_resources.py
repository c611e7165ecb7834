"""App, address, volume, secrets and image against the double: made once, adopted, repaired, taken down."""

from collections.abc import Callable
from typing import Any

import pytest

from providers.errors import ProviderError
from providers.fly.app import AppProvider
from providers.fly.image import ImageProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.secrets import SecretsProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.driver import Driven, Refused
from tests.inprocess import control

APP = {"name": "solos-prod", "org": "sol-labs"}
VOLUME = {"app": "solos-prod", "name": "solos_data", "region": "sjc", "size_gb": 10}
FAULTS: list[Kind] = ["refuse", "refuse_after", "lose_before", "lose_after", "hang"]

Configured = Callable[[Any], Any]


@pytest.fixture
def app(configured: Configured) -> Driven:
    app = Driven(configured(AppProvider))
    app.up(**APP)
    return app


def test_an_app_is_made_once(configured: Configured, world: World) -> None:
    first, second = Driven(configured(AppProvider)), Driven(configured(AppProvider))

    first.up(**APP)
    first.up(**APP)
    second.up(**APP)  # Another stack, or this one with its state lost.

    assert first.steps == ["create", "same"]
    assert second.outputs["hostname"] == "solos-prod.fly.dev"
    assert [each["name"] for each in world.store.all("fly_app")] == ["solos-prod"]


def test_a_name_that_strangers_have_is_refused_in_one_line(configured: Configured, world: World) -> None:
    control(world, "POST", "/fly/apps", {"name": "solos-prod", "org": "strangers"})

    with pytest.raises(ProviderError, match="solos-prod") as refused:
        Driven(configured(AppProvider)).up(**APP)

    assert "\n" not in str(refused.value)


def test_a_bad_token_is_told_without_being_shown(configured: Configured, settings: dict[str, Any]) -> None:
    settings["flyApiToken"] = "nonsense-token"

    with pytest.raises(ProviderError, match="FLY_API_TOKEN") as refused:
        Driven(configured(AppProvider)).up(**APP)

    assert "nonsense-token" not in str(refused.value)


def test_a_deleted_app_is_found_gone(app: Driven, configured: Configured) -> None:
    Driven(configured(AppProvider), id=app.id, outputs=app.outputs).destroy()

    assert app.refresh() is False


@pytest.mark.parametrize("kind", ["shared_v4", "v6"])
def test_an_address_is_assigned_once(app: Driven, configured: Configured, world: World, kind: str) -> None:
    for _ in range(2):
        address = Driven(configured(IpAddressProvider))
        address.up(app="solos-prod", type=kind)

    assert address.outputs["address"]
    assert len(world.store.all("fly_ip")) == 1


def test_a_volume_grows_in_place_and_is_never_shrunk(app: Driven, configured: Configured, world: World) -> None:
    volume = Driven(configured(VolumeProvider))
    volume.up(**VOLUME)
    before = volume.id

    volume.up(**{**VOLUME, "size_gb": 20})

    assert (volume.id, volume.outputs["size_gb"]) == (before, 20)
    with pytest.raises(Refused, match="20"):
        volume.up(**VOLUME)


def test_a_volume_that_is_usable_at_once_is_not_looked_at_again(
    app: Driven, configured: Configured, world: World
) -> None:
    before = len(world.journal.entries("fly"))

    Driven(configured(VolumeProvider)).up(app=app.id, name="solos_data", region="sjc", size_gb=1)

    made = [f"{each['method']} {each['path']}" for each in world.journal.entries("fly")[before:]]
    assert made == [f"GET /v1/apps/{app.id}/volumes", f"POST /v1/apps/{app.id}/volumes"]


def test_a_volume_that_was_made_by_hand_is_adopted(app: Driven, configured: Configured, world: World) -> None:
    first, second = Driven(configured(VolumeProvider)), Driven(configured(VolumeProvider))
    first.up(**VOLUME)

    second.up(**VOLUME)

    assert second.id == first.id


def test_secrets_are_one_batch_and_their_drift_is_seen(app: Driven, configured: Configured, world: World) -> None:
    secrets = Driven(configured(SecretsProvider))
    secrets.up(app="solos-prod", values={"SESSION_KEY": "one", "API_KEY": "two"})
    writes = [call for call in world.journal.entries("fly") if call["method"] == "POST" and "secrets" in call["path"]]

    secrets.up(app="solos-prod", values={"SESSION_KEY": "changed"})

    assert len(writes) == 1
    assert secrets.steps == ["create", "update"]
    assert list(secrets.outputs["digests"]) == ["SESSION_KEY"]
    assert "changed" not in str(world.journal.entries("fly"))


def test_an_image_is_pinned_by_its_digest(configured: Configured, world: World) -> None:
    pushed = control(world, "POST", "/fly/images", {"reference": "registry.fly.io/solserver:1.0.0"})
    image = Driven(configured(ImageProvider))

    image.up(reference="registry.fly.io/solserver:1.0.0")

    assert image.outputs["pinned"] == f"registry.fly.io/solserver@{pushed['digest']}"


def test_an_image_that_was_never_pushed_is_refused(configured: Configured) -> None:
    with pytest.raises(ProviderError, match="there is no such image"):
        Driven(configured(ImageProvider)).up(reference="registry.fly.io/solserver:9.9.9")


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize(
    ("provider", "arguments", "document"),
    [
        (AppProvider, APP, "fly_app"),
        (IpAddressProvider, {"app": "solos-prod", "type": "v6"}, "fly_ip"),
        (VolumeProvider, VOLUME, "fly_volume"),
        (SecretsProvider, {"app": "solos-prod", "values": {"KEY": "value"}}, "fly_secrets"),
    ],
)
def test_nothing_is_made_twice_whatever_happens_to_the_write(
    configured: Configured, world: World, *, provider: Any, arguments: dict[str, Any], document: str, kind: Kind
) -> None:
    if provider is not AppProvider:
        Driven(configured(AppProvider)).up(**APP)
    world.faults.arm(Fault(kind, service="fly", method="POST"))
    resource = Driven(configured(provider))
    try:
        resource.up(**arguments)
    except ProviderError:
        resource.up(**arguments)

    assert resource.id
    assert len(world.store.all(document)) == 1
