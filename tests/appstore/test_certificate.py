"""There is one certificate of the stack's key, it is renewed in time, and no other is ever touched."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from harness.appstore import calls
from harness.driver import Driven, Refused
from harness.inprocess import ASC_KEY_ID, control
from providers.appstore.certificate import CertificateProvider
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
    """Somebody else of the team makes one."""
    Caller(world).make("certificates", {"csrContent": csr, "certificateType": type})


def test_the_certificate_is_of_our_key(certificate: Driven) -> None:
    outputs = certificate.up(**key_arguments())

    issued = x509.load_pem_x509_certificate(outputs["certificate"].encode())
    assert issued.public_key() == x509.load_pem_x509_csr(signing_key()["csr"].encode()).public_key()
    assert outputs["name"] == "Apple Distribution: Sol Labs (SLLABS4TM1)"
    assert outputs["serial_number"] == f"{issued.serial_number:X}"


def test_the_pkcs12_is_in_the_form_that_macos_imports(certificate: Driven) -> None:
    outputs = certificate.up(**key_arguments())

    content = base64.b64decode(outputs["p12"])
    key, issued, _ = pkcs12.load_key_and_certificates(content, outputs["p12_password"].encode())
    assert key is not None
    assert issued is not None
    assert key.public_key() == issued.public_key()
    assert content.count(TRIPLE_DES_AND_SHA1) == 2  # the certificate's bag and the key's
    assert PBES2 not in content
    assert len(outputs["p12_password"]) >= 32


def test_key_pkcs12_and_password_are_secret_in_the_state(configured: Callable[[Any], Any]) -> None:
    inputs = key_arguments()

    outputs = configured(CertificateProvider).create(inputs).outs

    secret = {name for name, value in outputs.items() if isinstance(value, dict)}
    assert secret == {"private_key", "p12", "p12_password"}


def test_a_certificate_whose_answer_was_lost_is_found_by_its_key(world: World, certificate: Driven) -> None:
    world.faults.arm(Fault("lose_after", service="appstore", method="POST", path="^/v1/certificates$"))

    certificate.up(**key_arguments())

    assert [each["id"] for each in certificates(world)] == [certificate.id]


def test_a_certificate_made_by_a_run_that_died_is_taken_over(
    world: World, certificate: Driven, configured: Callable[[Any], Any]
) -> None:
    Driven(configured(CertificateProvider)).up(**key_arguments())

    certificate.up(**key_arguments())

    assert [each["id"] for each in certificates(world)] == [certificate.id]


def test_nothing_is_done_as_long_as_it_is_not_due(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    before = calls(world)
    world.clock.sleep(334 * DAY)

    certificate.up(**key_arguments())

    assert certificate.steps == ["create", "same"]
    assert calls(world) == before


def test_a_certificate_that_is_due_is_renewed_before_the_old_one_is_given_up(world: World, certificate: Driven) -> None:
    first = dict(certificate.up(**key_arguments()))
    old = certificate.id
    world.clock.sleep(336 * DAY)

    renewed = certificate.up(**key_arguments())

    assert certificate.steps == ["create", "replace"]
    assert {each["id"] for each in certificates(world)} == {old, certificate.id}
    assert renewed["expires_at"] > first["expires_at"]
    assert not [call for call in calls(world) if call.startswith("DELETE")]


def test_the_window_can_be_chosen_and_changed_in_place(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    world.clock.sleep(300 * DAY)

    certificate.up(**key_arguments(), renew_before_days=60)
    certificate.up(**key_arguments(), renew_before_days=70)

    assert certificate.steps == ["create", "update", "replace"]


@pytest.mark.parametrize("days", [0, 181])
def test_a_window_that_would_renew_for_ever_is_refused(certificate: Driven, days: int) -> None:
    with pytest.raises(Refused, match="1 to 180"):
        certificate.up(**key_arguments(), renew_before_days=days)


def test_a_renewed_certificate_is_revoked_only_if_that_was_said(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments(), revoke=True)
    world.clock.sleep(336 * DAY)

    certificate.up(**key_arguments(), revoke=True)

    assert [each["id"] for each in certificates(world)] == [certificate.id]


def test_destroying_leaves_the_certificate_at_apple(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())

    certificate.destroy()

    assert len(certificates(world)) == 1


def test_a_revoked_certificate_is_made_again(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    Caller(world)("DELETE", f"/v1/certificates/{certificate.id}")

    assert not certificate.refresh()
    certificate.up(**key_arguments())

    assert [each["id"] for each in certificates(world)] == [certificate.id]


def test_the_limit_names_the_certificates_there_are_and_revokes_none(world: World, certificate: Driven) -> None:
    control(world, "POST", "/appstore/settings", {"certificate_limit": 1})
    make(world, request())
    (there,) = certificates(world)

    with pytest.raises(ProviderError) as refused:
        certificate.up(**key_arguments())

    assert f"{there['serialNumber']} (Apple Distribution: Sol Labs, until 2027-" in str(refused.value)
    assert "Nothing was revoked" in str(refused.value)
    assert "https://developer.apple.com/account/resources/certificates" in str(refused.value)
    assert certificates(world) == [there]


def test_a_renewal_at_the_limit_leaves_the_old_certificate_in_the_state(world: World, certificate: Driven) -> None:
    certificate.up(**key_arguments())
    before = (certificate.id, dict(certificate.outputs))
    control(world, "POST", "/appstore/settings", {"certificate_limit": 1})
    world.clock.sleep(336 * DAY)

    with pytest.raises(ProviderError, match="as many certificates of type DISTRIBUTION as Apple allows"):
        certificate.up(**key_arguments())

    assert (certificate.id, certificate.outputs) == before
    assert [each["id"] for each in certificates(world)] == [certificate.id]


def test_another_key_has_another_certificate(world: World, certificate: Driven) -> None:
    first = certificate.up(**key_arguments())["serial_number"]
    other = Driven(SigningKeyProvider()).up()

    second = certificate.up(private_key=other["private_key"], csr=other["csr"])["serial_number"]

    assert certificate.steps == ["create", "replace"]
    assert {each["serialNumber"] for each in certificates(world)} == {first, second}


def test_certificates_of_other_keys_and_types_do_not_count(world: World, certificate: Driven) -> None:
    make(world, request())
    make(world, signing_key()["csr"], "IOS_DISTRIBUTION")

    certificate.up(**key_arguments())

    assert len(certificates(world)) == 3


def test_a_key_that_may_not_make_certificates_is_told_which_may(world: World, certificate: Driven) -> None:
    key = world.store.get("appstore.keys", ASC_KEY_ID) or {}
    world.store.put("appstore.keys", ASC_KEY_ID, {**key, "role": "DEVELOPER"})

    with pytest.raises(ProviderError, match="use a team key with the role Admin"):
        certificate.up(**key_arguments())


def test_an_existing_certificate_is_taken_over_with_its_p12(
    world: World, certificate: Driven, configured: Callable[[Any], Any]
) -> None:
    by_hand = Driven(configured(CertificateProvider))
    key = Driven(SigningKeyProvider()).up(**exported(by_hand.up(**key_arguments())))

    certificate.up(**{name: key[name] for name in ("private_key", "csr", "adopted")})

    assert certificate.id == by_hand.id
    assert len(certificates(world)) == 1


def test_none_is_made_in_place_of_one_that_was_to_be_taken_over(
    world: World, certificate: Driven, configured: Callable[[Any], Any]
) -> None:
    by_hand = Driven(configured(CertificateProvider))
    key = Driven(SigningKeyProvider()).up(**exported(by_hand.up(**key_arguments(), revoke=True)))
    by_hand.destroy()

    with pytest.raises(ProviderError, match="it was revoked, belongs to another team or has another type"):
        certificate.up(**{name: key[name] for name in ("private_key", "csr", "adopted")})

    assert certificates(world) == []


def test_a_taken_over_certificate_is_renewed_like_any_other(
    world: World, certificate: Driven, configured: Callable[[Any], Any]
) -> None:
    key = Driven(SigningKeyProvider()).up(**exported(Driven(configured(CertificateProvider)).up(**key_arguments())))
    arguments = {name: key[name] for name in ("private_key", "csr", "adopted")}
    certificate.up(**arguments)
    world.clock.sleep(336 * DAY)

    certificate.up(**arguments)

    assert certificate.steps == ["create", "replace"]
