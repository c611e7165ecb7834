"""A signing key and its certificates, with which the tests of certificates and profiles start."""

import base64
import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from harness.driver import Driven
from harness.inprocess import control
from providers.appstore.signing_key import SigningKeyProvider
from rehearsal.cloud.world import World

DAY = 86_400.0


@functools.cache
def signing_key() -> dict[str, Any]:
    """The outputs of a `SigningKey`, created once, because that is slow."""
    return Driven(SigningKeyProvider()).up()


def key_arguments() -> dict[str, Any]:
    """The arguments of a certificate of that key."""
    return {name: signing_key()[name] for name in ("private_key", "csr")}


def certificates(world: World) -> list[dict[str, Any]]:
    """All certificates of the account."""
    state: list[dict[str, Any]] = control(world, "GET", "/appstore/state")["certificates"]
    return state


def profiles(world: World) -> list[dict[str, Any]]:
    state: list[dict[str, Any]] = control(world, "GET", "/appstore/state")["profiles"]
    return state


def exported(outputs: dict[str, Any]) -> dict[str, str]:
    """The arguments that adopt the certificate with its key, as exported from a keychain."""
    key = serialization.load_pem_private_key(outputs["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    certificate = x509.load_pem_x509_certificate(outputs["certificate"].encode())
    password = "from the old Mac"
    form = serialization.BestAvailableEncryption(password.encode())
    content = pkcs12.serialize_key_and_certificates(b"exported", key, certificate, None, form)
    return {"p12": base64.b64encode(content).decode(), "p12_password": password}


@functools.cache
def request(bits: int = 2048) -> str:
    """A certificate signing request of another key."""
    key = rsa.generate_private_key(65537, bits)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def certificate_of(private_key: str) -> str:
    """PEM of a self-signed certificate of the key."""
    key = serialization.load_pem_private_key(private_key.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Apple Distribution: Somebody (TEAM)")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return dated.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
