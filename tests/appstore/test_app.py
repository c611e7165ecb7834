"""The app record: adopted by bundle ID, requested from a person, changed in place, never deleted."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import ADA, BUNDLE_ID, calls, make_app
from harness.driver import Driven, Refused
from harness.inprocess import ASC_KEY_ID, control
from providers import engine
from providers.appstore.api.errors import AgreementMissing, KeyRejected, RoleMissing
from providers.appstore.app import AppProvider
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.installations import InstallationsProvider
from providers.errors import ProviderError, TimedOut
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]
APP = {"bundle_id": BUNDLE_ID, "name": "SolOS", "sku": "solos"}


@pytest.fixture
def app(configured: Configured) -> Driven:
    return Driven(configured(AppProvider))


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notes shown at the resource."""
    notes: list[str] = []
    monkeypatch.setattr(engine, "note", notes.append)
    return notes


def register(configured: Configured, identifier: str) -> None:
    Driven(configured(BundleIdProvider)).up(identifier=identifier, name="SolOS")


def fill_in(world: World, bundle_id: str = BUNDLE_ID, name: str = "SolOS") -> str:
    form = {"bundleId": bundle_id, "name": name, "primaryLocale": "en-US", "sku": bundle_id}
    return str(control(world, "POST", "/appstore/apps", form)["id"])


def test_entry_adopted(world: World, configured: Configured, app: Driven) -> None:
    """By exact bundle ID: Apple's filter also returns similar ones."""
    for identifier in (f"{BUNDLE_ID}.beta", f"com.example.{BUNDLE_ID}", BUNDLE_ID.upper(), BUNDLE_ID):
        register(configured, identifier)
        id = fill_in(world, identifier, name=identifier[-30:])
    world.clock.sleep(30)

    app.up(**APP)

    assert app.id == id
    assert calls(world, method="PATCH") == []


def test_missing_entry(app: Driven) -> None:
    """One error with every value of the form."""
    with pytest.raises(ProviderError) as refused:
        app.up(**APP, primary_locale="de-DE")

    assert str(refused.value) == (
        "there is no app with bundle ID com.sollabs.solos in App Store Connect, and only a person can create one: at "
        "https://appstoreconnect.apple.com/apps choose + > New App and enter Platforms: iOS; Name: SolOS; "
        "Primary Language: de-DE; Bundle ID: com.sollabs.solos; SKU: solos; User Access: Full Access; then run `pulumi up` again"
    )
    assert app.steps == []


def test_entry_not_created(world: World, app: Driven) -> None:
    """The API cannot create one."""
    with pytest.raises(ProviderError):
        app.up(**APP)

    assert calls(world, method="POST") == []


def test_wait_for_the_form(world: World, configured: Configured, app: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values of the form are shown before the wait."""
    register(configured, BUNDLE_ID)
    world.delays = Delays(app_record_visible=100)
    notes: list[str] = []

    def do_as_told(note: str) -> None:
        notes.append(note)
        fill_in(world)

    monkeypatch.setattr(engine, "note", do_as_told)

    app.up(**APP, wait_seconds=600)

    assert app.id
    (note,) = notes
    assert "SKU: solos" in note
    assert note.endswith("This run waits 600 s for it")


def test_wait_times_out(app: Driven, world: World) -> None:
    """The error contains the values of the form."""
    began = world.clock.now()

    with pytest.raises(
        TimedOut,
        match=r"timed out after 60 s waiting for the app record to be created; there is no app .* then run `pulumi up` again",
    ):
        app.up(**APP, wait_seconds=60)

    assert world.clock.now() - began == pytest.approx(60, abs=1)


def test_changed_in_place(world: World, configured: Configured, app: Driven) -> None:
    """Only attributes that the arguments set."""
    make_app(world, configured)
    app.up(**APP)

    app.up(**APP, primary_locale="de-DE", content_rights_declaration="DOES_NOT_USE_THIRD_PARTY_CONTENT")
    app.up(**{**APP, "name": "Other"}, primary_locale="de-DE")

    (entry,) = world.store.all("appstore.apps")
    assert app.steps == ["create", "update", "same"]
    assert entry["attributes"]["primaryLocale"] == "de-DE"
    assert entry["attributes"]["contentRightsDeclaration"] == "DOES_NOT_USE_THIRD_PARTY_CONTENT"
    assert entry["attributes"]["name"] == "SolOS"
    assert len(calls(world, method="PATCH")) == 1


def test_adopted_unchanged(world: World, configured: Configured, app: Driven) -> None:
    """Nothing of an existing record changes unless the stack names it."""
    make_app(world, configured)
    (entry,) = world.store.all("appstore.apps")
    world.store.put(
        "appstore.apps", entry["id"], entry | {"attributes": entry["attributes"] | {"primaryLocale": "fr-FR"}}
    )

    outputs = app.up(**APP)
    app.refresh()

    assert outputs["primary_locale"] == "fr-FR"
    assert app.steps == ["create", "read"]
    assert not app.diff(**APP).changes
    assert calls(world, method="PATCH") == []


def test_drift_corrected(world: World, configured: Configured, app: Driven) -> None:
    """Refresh shows what was changed on the website, and the next up restores it."""
    make_app(world, configured)
    app.up(**APP, primary_locale="en-US")
    (entry,) = world.store.all("appstore.apps")
    entry["attributes"] |= {"primaryLocale": "fr-FR", "name": "SolOS: days"}
    world.store.put("appstore.apps", entry["id"], entry)

    app.refresh()

    assert (app.inputs["primary_locale"], app.outputs["name"]) == ("fr-FR", "SolOS: days")
    app.up(**APP, primary_locale="en-US")
    assert world.store.all("appstore.apps")[0]["attributes"]["primaryLocale"] == "en-US"


def test_lost_response_of_change(world: World, configured: Configured, app: Driven) -> None:
    make_app(world, configured)
    world.faults.arm(Fault("lose_after", service="appstore", method="PATCH"))

    app.up(**APP, primary_locale="de-DE")

    assert len(calls(world, method="PATCH")) == 1


def test_destroy_keeps_entry(world: World, configured: Configured, app: Driven, notes: list[str]) -> None:
    make_app(world, configured)
    app.up(**APP)
    before = len(calls(world))

    app.destroy()

    assert len(calls(world)) == before
    (note,) = notes
    assert note.startswith("the app record of com.sollabs.solos (Apple ID 6740000001) stays in App Store Connect")


@pytest.mark.parametrize("name", ["S", "S" * 31])
def test_invalid_name(app: Driven, name: str) -> None:
    with pytest.raises(Refused, match="Apple allows 2 to 30"):
        app.up(**{**APP, "name": name})


FIRST: dict[Any, dict[str, Any]] = {
    AppProvider: APP,
    BundleIdProvider: {"identifier": BUNDLE_ID, "name": "SolOS"},
    BetaGroupProvider: {"app_id": "6740000001", "name": "Internal Testers"},
    BetaTestersProvider: {"app_id": "6740000001", "group_id": "g", "testers": [{"email": ADA}]},
    BuildDistributionProvider: {"build_id": "b", "group_id": "g"},
    InstallationsProvider: {
        "build_id": "b",
        "group_id": "g",
        "app_id": "6740000001",
        "short_version": "1.0.0",
        "version": "0",
        "testers": [ADA],
    },
}
"""Whichever of them makes the first call."""


@pytest.mark.parametrize("provider", FIRST, ids=lambda provider: provider.__name__)
def test_agreement_missing(world: World, configured: Configured, provider: Any) -> None:
    control(world, "POST", "/appstore/agreements", {"in_effect": False})

    with pytest.raises(AgreementMissing, match="the Account Holder signs it"):
        Driven(configured(provider)).up(**FIRST[provider])


@pytest.mark.parametrize("provider", FIRST, ids=lambda provider: provider.__name__)
def test_key_revoked(world: World, configured: Configured, provider: Any) -> None:
    control(world, "DELETE", f"/appstore/keys/{ASC_KEY_ID}")

    with pytest.raises(KeyRejected, match="the key is revoked"):
        Driven(configured(provider)).up(**FIRST[provider])


def test_role_too_low(world: World, configured: Configured) -> None:
    """The error names the role that is needed."""
    key = world.store.get("appstore.keys", ASC_KEY_ID) or {}
    world.store.put("appstore.keys", ASC_KEY_ID, {**key, "role": "DEVELOPER"})

    with pytest.raises(RoleMissing, match="use a team key with the role Admin"):
        Driven(configured(BundleIdProvider)).up(**FIRST[BundleIdProvider])
