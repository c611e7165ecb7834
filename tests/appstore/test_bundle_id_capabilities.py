"""Listed capabilities are enabled, those no longer listed are disabled, and no others change."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID, calls
from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.bundle_id_capabilities import BundleIdCapabilitiesProvider
from rehearsal.cloud.appstore.account import account
from rehearsal.cloud.appstore.bundle_ids import enable
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World

DEFAULTS = ["GAME_CENTER", "IN_APP_PURCHASE"]
PUSH: dict[str, dict[str, str]] = {"PUSH_NOTIFICATIONS": {}}


@pytest.fixture
def bundle_id(world: World, configured: Callable[[Any], Any]) -> str:
    registered = Driven(configured(BundleIdProvider))
    registered.up(identifier=BUNDLE_ID, name="SolOS")
    return registered.id


@pytest.fixture
def capabilities(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(BundleIdCapabilitiesProvider))


def enabled(world: World) -> dict[str, Any]:
    """Type to the chosen option, or None."""
    return {
        capability["capabilityType"]: next(
            (
                option["key"]
                for setting in capability["settings"] or []
                for option in setting["options"]
                if option["enabled"]
            ),
            None,
        )
        for capability in control(world, "GET", "/appstore/state")["bundleIdCapabilities"]
    }


def test_enabled(world: World, bundle_id: str, capabilities: Driven) -> None:
    outputs = capabilities.up(bundle_id=bundle_id, capabilities=PUSH)

    assert sorted(enabled(world)) == [*DEFAULTS, "PUSH_NOTIFICATIONS"]
    assert outputs["others"] == DEFAULTS


def test_already_enabled(world: World, bundle_id: str, capabilities: Driven) -> None:
    capabilities.up(bundle_id=bundle_id, capabilities={"GAME_CENTER": {}, "IN_APP_PURCHASE": {}})

    assert calls(world, method="POST") == ["POST /v1/bundleIds"]


def test_disabled(world: World, bundle_id: str, capabilities: Driven) -> None:
    """Those that Apple enables by itself stay."""
    capabilities.up(bundle_id=bundle_id, capabilities={**PUSH, "SIRIKIT": {}, "GAME_CENTER": {}})

    capabilities.up(bundle_id=bundle_id, capabilities={"SIRIKIT": {}})

    assert sorted(enabled(world)) == [*DEFAULTS, "SIRIKIT"]


def test_settings(world: World, bundle_id: str, capabilities: Driven) -> None:
    for option in ("COMPLETE_PROTECTION", "PROTECTED_UNLESS_OPEN"):
        wanted = {"DATA_PROTECTION": {"DATA_PROTECTION_PERMISSION_LEVEL": option}}
        capabilities.up(bundle_id=bundle_id, capabilities=wanted)
        assert enabled(world)["DATA_PROTECTION"] == option

    assert capabilities.steps == ["create", "update"]


def test_other_settings_kept(world: World, bundle_id: str, capabilities: Driven) -> None:
    capabilities.up(bundle_id=bundle_id, capabilities={"ICLOUD": {"ICLOUD_VERSION": "XCODE_5"}})

    capabilities.up(bundle_id=bundle_id, capabilities={"ICLOUD": {}})

    assert enabled(world)["ICLOUD"] == "XCODE_5"


def test_drift_corrected(world: World, bundle_id: str, capabilities: Driven) -> None:
    capabilities.up(bundle_id=bundle_id, capabilities=PUSH)
    records = account(world)
    records.delete(records.all("bundleIdCapabilities")[-1])

    capabilities.refresh()
    assert capabilities.inputs["capabilities"] == {}
    capabilities.up(bundle_id=bundle_id, capabilities=PUSH)

    assert "PUSH_NOTIFICATIONS" in enabled(world)


def test_unknown_types(world: World, bundle_id: str, capabilities: Driven) -> None:
    records = account(world)
    enable(records, records.all("bundleIds")[0], "PRIVATE_CLOUD_COMPUTE", [])

    capabilities.up(bundle_id=bundle_id, capabilities=PUSH)
    capabilities.up(bundle_id=bundle_id, capabilities={})

    assert sorted(enabled(world)) == [*DEFAULTS, "PRIVATE_CLOUD_COMPUTE"]


@pytest.mark.parametrize("kind", ["lose_before", "lose_after", "refuse_after"])
def test_lost_response(world: World, bundle_id: str, capabilities: Driven, kind: Any) -> None:
    world.faults.arm(Fault(kind, service="appstore", method="POST", path="bundleIdCapabilities"))

    capabilities.up(bundle_id=bundle_id, capabilities=PUSH)

    assert sorted(enabled(world)) == [*DEFAULTS, "PUSH_NOTIFICATIONS"]


def test_destroy(world: World, bundle_id: str, capabilities: Driven) -> None:
    """The app keeps its capabilities."""
    capabilities.up(bundle_id=bundle_id, capabilities=PUSH)

    capabilities.destroy()

    assert "PUSH_NOTIFICATIONS" in enabled(world)


def test_invalid_capabilities(bundle_id: str, capabilities: Driven) -> None:
    wrong = {"push": {}, "ICLOUD": {"VERSION": "6"}, "DATA_PROTECTION": {"DATA_PROTECTION_PERMISSION_LEVEL": "FULL"}}

    with pytest.raises(Refused) as refused:
        capabilities.up(bundle_id=bundle_id, capabilities=wrong)

    assert "'push' is not a capability type" in str(refused.value)
    assert "ICLOUD has no setting VERSION" in str(refused.value)
    assert "DATA_PROTECTION_PERMISSION_LEVEL of DATA_PROTECTION is FULL" in str(refused.value)
