"""The key is made once, on this machine, and stays in the state."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from harness.driver import Driven, Refused
from providers.appstore.signing_key import SigningKeyProvider
from tests.appstore.signing import certificate_of, exported, signing_key


@pytest.fixture
def p12() -> dict[str, str]:
    return exported({**signing_key(), "certificate": certificate_of(signing_key()["private_key"])})


def test_the_request_is_signed_with_the_key() -> None:
    request = x509.load_pem_x509_csr(signing_key()["csr"].encode())
    key: Any = serialization.load_pem_private_key(signing_key()["private_key"].encode(), None)

    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert key.key_size == 2048


def test_another_up_keeps_the_key() -> None:
    key = Driven(SigningKeyProvider())
    first = dict(key.up())

    assert key.up() == first
    assert key.refresh()
    assert key.steps == ["create", "same", "read"]


def test_the_key_of_a_p12_is_used_in_place_of_a_new_one(p12: dict[str, str]) -> None:
    key = Driven(SigningKeyProvider())

    key.up(**p12)

    assert key.outputs["private_key"] == signing_key()["private_key"]
    assert x509.load_pem_x509_certificate(key.outputs["adopted"].encode())


def test_taking_the_p12_out_of_the_settings_keeps_its_key(p12: dict[str, str]) -> None:
    key = Driven(SigningKeyProvider())
    key.up(**p12)

    key.up()

    assert key.steps == ["create", "same"]


def test_giving_a_p12_later_replaces_the_key(p12: dict[str, str]) -> None:
    key = Driven(SigningKeyProvider())
    key.up()

    key.up(**p12)

    assert key.steps == ["create", "replace"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"p12_password": "guessed"}, "does not open with its password"),
        ({"p12": "no base64!"}, "is not valid base64"),
        ({"p12": "bm8gcDEy"}, "does not open with its password"),
    ],
)
def test_a_p12_that_does_not_open_is_refused_at_preview(p12: dict[str, str], wrong: dict[str, str], told: str) -> None:
    with pytest.raises(Refused, match=told) as refused:
        Driven(SigningKeyProvider()).up(**{**p12, **wrong})

    assert "guessed" not in str(refused.value)
