"""Certificates, profiles and capabilities of the double."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.inprocess import control
from providers.appstore.ipa import mobileprovision
from rehearsal.cloud.world import World
from tests.appstore.signing import DAY, request
from tests.cloud.appstore.caller import BUNDLE_ID, Caller, reference


@pytest.fixture
def caller(world: World) -> Caller:
    return Caller(world)


def certificate(caller: Caller, **changes: str) -> dict[str, Any]:
    attributes = {"csrContent": request(), "certificateType": "DISTRIBUTION", **changes}
    made = caller.make("certificates", attributes)
    caller.world.clock.sleep(1)
    return made


def bundle_id(caller: Caller) -> dict[str, Any]:
    made = caller.make("bundleIds", {"identifier": BUNDLE_ID, "name": "Sol", "platform": "IOS"})
    caller.world.clock.sleep(1)
    return made


def profile(caller: Caller, bundle: Any, held: Any, name: str = "Sol", status: int = 201, **links: Any) -> Any:
    attributes = {"name": name, "profileType": "IOS_APP_STORE"}
    return caller.make(
        "profiles", attributes, status=status, bundleId=reference(bundle), certificates=[reference(held)], **links
    )


def test_certificate(caller: Caller) -> None:
    """A certificate has the key of the request and is for code signing."""
    attributes = certificate(caller)["attributes"]

    issued = x509.load_der_x509_certificate(base64.b64decode(attributes["certificateContent"]))
    usage = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert issued.public_key() == x509.load_pem_x509_csr(request().encode()).public_key()
    assert (usage.critical, list(usage.value)) == (True, [ExtendedKeyUsageOID.CODE_SIGNING])
    assert issued.subject.rfc4514_string().startswith("C=US,O=Sol Labs,OU=SLLABS4TM1,CN=Apple Distribution: Sol Labs (")
    assert attributes["expirationDate"] == issued.not_valid_after_utc.isoformat()


def test_csr_without_header_lines(caller: Caller) -> None:
    bare = "".join(line for line in request().splitlines() if not line.startswith("-"))

    certificate(caller, csrContent=bare)


@pytest.mark.parametrize("csr", ["nonsense", request(3072)], ids=["nonsense", "another size of key"])
def test_invalid_csr_is_refused(caller: Caller, csr: str) -> None:
    error = caller.make("certificates", {"csrContent": csr, "certificateType": "DISTRIBUTION"}, status=409)

    assert (error["code"], error["source"]["pointer"]) == (
        "ENTITY_ERROR.ATTRIBUTE.INVALID",
        "/data/attributes/csrContent",
    )


def test_certificate_limit(world: World, caller: Caller) -> None:
    """A team has a limited number of certificates; expired ones do not count."""
    control(world, "POST", "/appstore/settings", {"certificate_limit": 1})
    wanted = {"csrContent": request(), "certificateType": "DISTRIBUTION"}
    certificate(caller)

    error = caller.make("certificates", wanted, status=409)
    world.clock.sleep(366 * DAY)
    caller.make("certificates", wanted)

    assert error["detail"] == ("You already have a current Distribution certificate or a pending certificate request.")


def test_profile_content(caller: Caller) -> None:
    """A profile contains its bundle ID and certificate."""
    held = certificate(caller)

    made = profile(caller, bundle_id(caller), held)["attributes"]

    content = mobileprovision.read_encoded(made["profileContent"])
    assert (content.kind, content.name, content.uuid) == ("App Store", "Sol", made["uuid"])
    assert content.application_id == f"SLLABS4TM1.{BUNDLE_ID}"
    assert content.certificates == (base64.b64decode(held["attributes"]["certificateContent"]),)
    assert content.expires.isoformat() == held["attributes"]["expirationDate"]


def test_profile_name_is_taken(world: World, caller: Caller) -> None:
    """An invalid profile keeps its name."""
    bundle, held = bundle_id(caller), certificate(caller)
    made = profile(caller, bundle, held)
    caller("DELETE", f"/v1/certificates/{held['id']}")
    world.clock.sleep(1)

    error = profile(caller, bundle, certificate(caller), status=409)

    assert caller.read(f"/v1/profiles/{made['id']}")["attributes"]["profileState"] == "INVALID"
    assert error["detail"] == (
        "Multiple profiles found with the name 'Sol'.  Please remove the duplicate profiles and try again."
    )


def test_store_profile_without_devices(caller: Caller) -> None:
    device = caller.make("devices", {"name": "Ada's", "platform": "IOS", "udid": "00008120-0001"})

    error = profile(caller, bundle_id(caller), certificate(caller), status=409, devices=[reference(device)])

    assert error["code"] == "ENTITY_ERROR.RELATIONSHIP.NOT_ALLOWED"
    assert error["detail"] == "No devices can be associated to Provisioning Profiles for the App Store."


def test_profile_of_new_bundle_id(caller: Caller) -> None:
    """A profile for a bundle ID that is too new is refused."""
    held = certificate(caller)
    new = caller.make("bundleIds", {"identifier": BUNDLE_ID, "name": "Sol", "platform": "IOS"})

    error = profile(caller, new, held, status=409)

    assert error["detail"] == f"There is no App ID with ID '{new['id']}' on this team."


def test_capability_change_invalidates_profiles(world: World, caller: Caller) -> None:
    """Older profiles become INVALID after a delay."""
    bundle, held = bundle_id(caller), certificate(caller)
    made = profile(caller, bundle, held)
    world.clock.sleep(1)

    caller.make("bundleIdCapabilities", {"capabilityType": "PUSH_NOTIFICATIONS"}, bundleId=reference(bundle))
    at_once = caller.read(f"/v1/profiles/{made['id']}")["attributes"]["profileState"]
    world.clock.sleep(1)

    later = caller.read("/v1/profiles", **{"filter[profileState]": "INVALID"})
    assert (at_once, [item["id"] for item in later]) == ("ACTIVE", [made["id"]])


def test_profile_is_immutable(caller: Caller) -> None:
    made = profile(caller, bundle_id(caller), certificate(caller))

    response = caller("PATCH", f"/v1/profiles/{made['id']}", {"data": {**reference(made), "attributes": {"name": "X"}}})

    assert response.json()["errors"][0]["detail"].startswith("The resource 'profiles' does not allow 'UPDATE'")


def test_zombie_profile(world: World, caller: Caller) -> None:
    """Only the bundle ID lists a zombie profile."""
    bundle = bundle_id(caller)
    made = profile(caller, bundle, certificate(caller))
    control(world, "POST", "/appstore/zombies", {"profile": made["id"]})

    response = caller("GET", f"/v1/profiles/{made['id']}")

    assert [item["id"] for item in caller.read(f"/v1/bundleIds/{bundle['id']}/profiles")] == [made["id"]]
    assert response.status_code == 404
    assert response.json()["errors"][0]["detail"] == f"There is no resource of type 'profiles' with id '{made['id']}'"
