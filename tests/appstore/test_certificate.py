"""One certificate of the stack's key, renewed in time; other certificates never change."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from harness.appstore import calls
from harness.driver import Driven, Refused
from harness.inprocess import ASC_KEY_ID, control
from providers.appstore.api.errors import RoleMissing
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.certificate import CertificateProvider
from providers.appstore.profile import ProfileProvider
from providers.appstore.signing_key import SigningKeyProvider
from providers.errors import ProviderError
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.appstore.signing import DAY, certificates, exported, key_arguments, request, signing_key
from tests.cloud.appstore.caller import Caller

TRIPLE_DES_AND_SHA1 = bytes.fromhex("2a864886f70d010c0103")
PBES2 = bytes.fromhex("2a864886f70d01050d")


@pytest.fixture
def certificate(configured: Callable[[Any], Any]) -> Driven:
    return Driven(configured(CertificateProvider))


def make(world: World, csr: str, type: str = "DISTRIBUTION") -> None:
    """Somebody else in the team creates one."""
    Caller(world).make("certificates", {"csrContent": csr, "certificateType": type})


def test_certificate_of_our_key(certificate: Driven) -> None:
    outputs = certificate.up(**key_arguments())

    issued = x509.load_pem_x509_certificate(outputs["certificate"].encode())
    assert issued.public_key() == x509.load_pem_x509_csr(signing_key()["csr"].encode()).public_key()
    assert outputs["name"] == "Apple Distribution: Sol Labs (SLLABS4TM1)"
    assert outputs["serial_number"] == f"{issued.serial_number:X}"


def test_pkcs12_form(certificate: Driven) -> None:
    """The old one, which macOS imports."""
    outputs = certificate.up(**key_arguments())

    content = base64.b64decode(outputs["p12"])
    key, issued, _ = pkcs12.load_key_and_certificates(content, outputs["p12_password"].encode())
    assert key is not None
    assert issued is not None
    assert key.public_key() == issued.public_key()
    assert content.count(TRIPLE_DES_AND_SHA1) == 2  # for the certificate and for the key
    assert PBES2 not in content
    assert len(outputs["p12_password"]) >= 32


def test_secret_outputs(configured: Callable[[Any], Any]) -> None:
    inputs = key_arguments()

    outputs = configured(CertificateProvider).create(inputs).outs

    secret = {name for name, value in outputs.items() if isinstance(value, dict)}
    assert secret == {"private_key", "p12", "p12_password"}


def test_lost_response(world: World, certificate: Driven) -> None:
    """The certificate is found by its key."""
    world.faults.arm(Fault("lose_after", service="appstore", method="POST", path="^/v1/certificates$"))

    certificate.up(**key_arguments())

    assert [item["id"] for item in certificates(world)] == [certificate.id]


def test_interrupted_run(world: World, certificate: Driven, configured: Callable[[Any], Any]) -> None:
    Driven(configured(CertificateProvider)).up(**key_arguments())

    certificate.up(**key_arguments())

    assert [item["id"] for item in certificates(world)] == [certificate.id]


def test_not_due(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    before = calls(world)
    world.clock.sleep(334 * DAY)

    certificate.up(**key_arguments())

    assert certificate.steps == ["create", "same"]
    assert calls(world) == before


def test_renewed(world: World, certificate: Driven) -> None:
    """The new one exists before the old one is released."""
    first = dict(certificate.up(**key_arguments()))
    old = certificate.id
    world.clock.sleep(336 * DAY)

    renewed = certificate.up(**key_arguments())

    assert certificate.steps == ["create", "replace"]
    assert {item["id"] for item in certificates(world)} == {old, certificate.id}
    assert renewed["expires_at"] > first["expires_at"]
    assert not [call for call in calls(world) if call.startswith("DELETE")]


def test_renewal_window(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    world.clock.sleep(300 * DAY)

    certificate.up(**key_arguments(), renew_before_days=60)
    certificate.up(**key_arguments(), renew_before_days=70)

    assert certificate.steps == ["create", "update", "replace"]


@pytest.mark.parametrize("days", [0, 181])
def test_window_too_long(certificate: Driven, days: int) -> None:
    """It would renew with every up."""
    with pytest.raises(Refused, match="1 to 180"):
        certificate.up(**key_arguments(), renew_before_days=days)


def test_revoked_on_request(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments(), revoke=True)
    world.clock.sleep(336 * DAY)

    certificate.up(**key_arguments(), revoke=True)

    assert [item["id"] for item in certificates(world)] == [certificate.id]


def test_destroy(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())

    certificate.destroy()

    assert len(certificates(world)) == 1


def test_revoked_certificate_replaced(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    Caller(world)("DELETE", f"/v1/certificates/{certificate.id}")

    assert not certificate.refresh()
    certificate.up(**key_arguments())

    assert [item["id"] for item in certificates(world)] == [certificate.id]


def test_limit_reached(world: World, certificate: Driven) -> None:
    """The error lists the existing certificates; none is revoked."""
    control(world, "POST", "/appstore/settings", {"certificate_limit": 1})
    make(world, request())
    (there,) = certificates(world)

    with pytest.raises(ProviderError) as refused:
        certificate.up(**key_arguments())

    assert f"{there['serialNumber']} (Apple Distribution: Sol Labs, until 2027-" in str(refused.value)
    assert "Nothing was revoked" in str(refused.value)
    assert "https://developer.apple.com/account/resources/certificates" in str(refused.value)
    assert certificates(world) == [there]


def test_renewal_at_the_limit(world: World, certificate: Driven) -> None:
    """The old certificate stays in the state."""
    certificate.up(**key_arguments())
    before = (certificate.id, dict(certificate.outputs))
    control(world, "POST", "/appstore/settings", {"certificate_limit": 1})
    world.clock.sleep(336 * DAY)

    with pytest.raises(ProviderError, match="as many certificates of type DISTRIBUTION as Apple allows"):
        certificate.up(**key_arguments())

    assert (certificate.id, certificate.outputs) == before
    assert [item["id"] for item in certificates(world)] == [certificate.id]


def test_other_key(world: World, certificate: Driven) -> None:
    first = certificate.up(**key_arguments())["serial_number"]
    other = Driven(SigningKeyProvider()).up()

    second = certificate.up(private_key=other["private_key"], csr=other["csr"])["serial_number"]

    assert certificate.steps == ["create", "replace"]
    assert {item["serialNumber"] for item in certificates(world)} == {first, second}


def test_other_certificates_ignored(world: World, certificate: Driven) -> None:
    make(world, request())
    make(world, signing_key()["csr"], "IOS_DISTRIBUTION")

    certificate.up(**key_arguments())

    assert len(certificates(world)) == 3


def test_role_too_low(world: World, certificate: Driven) -> None:
    key = world.store.get("appstore.keys", ASC_KEY_ID) or {}
    world.store.put("appstore.keys", ASC_KEY_ID, {**key, "role": "DEVELOPER"})

    with pytest.raises(ProviderError, match="use a team key with the role Admin"):
        certificate.up(**key_arguments())


def test_adopted_with_p12(world: World, certificate: Driven, configured: Callable[[Any], Any]) -> None:
    by_hand = Driven(configured(CertificateProvider))
    key = Driven(SigningKeyProvider()).up(**exported(by_hand.up(**key_arguments())))

    certificate.up(**{name: key[name] for name in ("private_key", "csr", "adopted")})

    assert certificate.id == by_hand.id
    assert len(certificates(world)) == 1


def test_app_manager(world: World, certificate: Driven, configured: Callable[[Any], Any]) -> None:
    """Cannot create a certificate, but sign with a given one."""
    key = Driven(SigningKeyProvider()).up(**exported(Driven(configured(CertificateProvider)).up(**key_arguments())))
    about = world.store.get("appstore.keys", ASC_KEY_ID) or {}
    world.store.put("appstore.keys", ASC_KEY_ID, {**about, "role": "APP_MANAGER"})
    bundle_id, profile = Driven(configured(BundleIdProvider)), Driven(configured(ProfileProvider))

    certificate.up(**{name: key[name] for name in ("private_key", "csr", "adopted")})
    bundle_id.up(identifier="com.sollabs.solos", name="SolOS")
    profile.up(name="SolOS", bundle_id=bundle_id.id, certificate_ids=[certificate.id])

    assert profile.outputs["profile_state"] == "ACTIVE"
    with pytest.raises(RoleMissing, match="an existing one in a p12 makes unnecessary"):
        certificate.up(private_key=signing_key()["private_key"], csr=Driven(SigningKeyProvider()).up()["csr"])


def test_adopted_certificate_missing(world: World, certificate: Driven, configured: Callable[[Any], Any]) -> None:
    """None is created in its place."""
    by_hand = Driven(configured(CertificateProvider))
    key = Driven(SigningKeyProvider()).up(**exported(by_hand.up(**key_arguments(), revoke=True)))
    by_hand.destroy()

    with pytest.raises(ProviderError, match="it was revoked, belongs to another team or has another type"):
        certificate.up(**{name: key[name] for name in ("private_key", "csr", "adopted")})

    assert certificates(world) == []


def test_adopted_certificate_renewed(world: World, certificate: Driven, configured: Callable[[Any], Any]) -> None:
    key = Driven(SigningKeyProvider()).up(**exported(Driven(configured(CertificateProvider)).up(**key_arguments())))
    arguments = {name: key[name] for name in ("private_key", "csr", "adopted")}
    certificate.up(**arguments)
    world.clock.sleep(336 * DAY)

    certificate.up(**arguments)

    assert certificate.steps == ["create", "replace"]
