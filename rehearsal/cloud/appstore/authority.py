"""The certificate authority that signs certificates and profiles, in place of Apple Worldwide Developer Relations.

Its key and certificate are created on first use and kept in the store.
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rehearsal.cloud.context import Context

ORGANIZATION = "Sol Labs"
LIFETIME = timedelta(days=365)
"""Lifetime of profiles."""
AUTHORITY_LIFETIME = timedelta(days=20 * 365)


def issue(
    context: Context, key: rsa.RSAPublicKey, common_name: str, team: str, lifetime: timedelta
) -> x509.Certificate:
    """A code signing certificate for `key`, in Apple's format."""
    own, signer = _own(context)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, team),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{common_name}: {ORGANIZATION} ({team})"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, team),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        ]
    )
    code_signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    return (
        _builder(subject, own.subject, now(context), lifetime)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(code_signing, critical=True)
        .sign(signer, hashes.SHA256())
    )


def sign(context: Context, content: bytes) -> bytes:
    """The content in a CMS signature, DER encoded."""
    own, signer = _own(context)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(own, signer, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def now(context: Context) -> datetime:
    return datetime.fromtimestamp(int(context.clock.now()), UTC)


def _own(context: Context) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    with context.store.transaction():
        kept = context.store.get("appstore.authority", "own") or context.store.put(
            "appstore.authority", "own", _new_authority(now(context))
        )
    key = serialization.load_pem_private_key(kept["key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(kept["certificate"].encode()), key


def _new_authority(at: datetime) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rehearsal Worldwide Developer Relations")])
    certificate = (
        _builder(name, name, at, AUTHORITY_LIFETIME)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "key": key.private_bytes(*form).decode(),
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


def _builder(subject: x509.Name, issuer: x509.Name, at: datetime, lifetime: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(minutes=5))
        .not_valid_after(at + lifetime)
    )
