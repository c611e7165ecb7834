"""A certificate authority for the doubles: what uses TLS in production uses TLS here too."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=90)


class Authority:
    """Keys and certificates, its own and issued ones, are files in `folder`, created on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def certificate(self) -> Path:
        """The root certificate that a client has to trust."""
        return self._own()[0]

    def issue(self, address: str) -> tuple[Path, Path]:
        """Certificate and key for an IP address."""
        certificate, key = self._folder / f"{address}.pem", self._folder / f"{address}.key"
        if not certificate.exists():
            own_certificate, own_key = self._own()
            issuer = x509.load_pem_x509_certificate(own_certificate.read_bytes())
            signer = serialization.load_pem_private_key(own_key.read_bytes(), None)
            assert isinstance(signer, ec.EllipticCurvePrivateKey)
            made = ec.generate_private_key(ec.SECP256R1())
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = _builder(address, issuer.subject, made).add_extension(names, critical=False)
            _write(key, _pem(made))
            _write(certificate, builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return certificate, key

    def _own(self) -> tuple[Path, Path]:
        certificate, key = self._folder / "authority.pem", self._folder / "authority.key"
        if not certificate.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            name = _name("Rehearsal")
            builder = _builder("Rehearsal", name, made).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            _write(key, _pem(made))
            _write(certificate, builder.sign(made, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return certificate, key


def _builder(subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form)


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
