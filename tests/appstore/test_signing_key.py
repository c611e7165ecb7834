"""The key is generated once, on this machine, and stays in the state."""

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


def test_request_signed() -> None:
    request = x509.load_pem_x509_csr(signing_key()["csr"].encode())
    key: Any = serialization.load_pem_private_key(signing_key()["private_key"].encode(), None)

    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert key.key_size == 2048


def test_key_kept() -> None:
    key = Driven(SigningKeyProvider())
    first = dict(key.up())

    assert key.up() == first
    assert key.refresh()
    assert key.steps == ["create", "same", "read"]


def test_key_of_p12(p12: dict[str, str]) -> None:
    key = Driven(SigningKeyProvider())

    key.up(**p12)

    assert key.outputs["private_key"] == signing_key()["private_key"]
    assert x509.load_pem_x509_certificate(key.outputs["adopted"].encode())


def test_p12_removed(p12: dict[str, str]) -> None:
    """The key stays."""
    key = Driven(SigningKeyProvider())
    key.up(**p12)

    key.up()

    assert key.steps == ["create", "same"]


def test_p12_added(p12: dict[str, str]) -> None:
    """It replaces the key."""
    key = Driven(SigningKeyProvider())
    key.up()

    key.up(**p12)

    assert key.steps == ["create", "replace"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"p12_password": "guessed"}, "does not open with its password"),
        ({"p12": "no base64!"}, "is not valid base64"),
        ({"p12": "bm8gcDEy"}, "does not open with its password"),
    ],
)
def test_unusable_p12(p12: dict[str, str], wrong: dict[str, str], message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        Driven(SigningKeyProvider()).up(**{**p12, **wrong})

    assert "guessed" not in str(refused.value)
