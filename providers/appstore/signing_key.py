"""The private key with which builds are signed, made on this machine. It never leaves the stack's encrypted state.

It is a resource of its own because Apple does not have it: were it made together with the certificate, and the answer to that
call lost, there would be a certificate whose key nobody has. This one is in the state before Apple is asked, and its public half
is how the certificate is found again.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import pulumi
from pulumi import Input, Output

from providers.properties import REPLACES, SECRET
from providers.resource import Provider, Resource

if TYPE_CHECKING:  # Only calls need it: a preview is quicker without.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048
"""What Apple takes in signing requests, no more and no less."""


@dataclass(frozen=True, kw_only=True)
class SigningKeyArgs:
    p12: Annotated[str | None, REPLACES, SECRET] = None
    """A PKCS#12 file, in base64, whose key is used in place of a new one: how an existing certificate is taken over. Giving
    another one replaces the key; taking it away changes nothing."""
    p12_password: Annotated[str | None, SECRET] = None


@dataclass(frozen=True, kw_only=True)
class SigningKeyState(SigningKeyArgs):
    private_key: Annotated[str, SECRET] = ""
    """PEM, PKCS#8."""
    csr: str = ""
    """PEM. The request with which Apple makes a certificate of this key; it says nothing but the public key."""
    adopted: str | None = None
    """PEM of the certificate in `p12`."""


class SigningKeyProvider(Provider[SigningKeyArgs, SigningKeyState]):
    Args = SigningKeyArgs
    State = SigningKeyState

    def validate(self, args: SigningKeyArgs, old: SigningKeyArgs | None) -> Iterable[str]:
        if args.p12:
            try:
                _open(args)
            except BadPkcs12 as bad:
                yield str(bad)

    def changed_fields(self, state: SigningKeyState, args: SigningKeyArgs) -> Iterable[str]:
        if not args.p12 or args.p12 == state.p12:
            return ()
        return ("p12",)

    def ensure(self, args: SigningKeyArgs) -> tuple[str, SigningKeyState]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        if args.p12:
            key, certificate = _open(args)
        else:
            key, certificate = rsa.generate_private_key(65537, BITS), None
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        state = SigningKeyState(
            **asdict(args),
            private_key=key.private_bytes(*pem).decode(),
            csr=_request(key),
            adopted=certificate.public_bytes(serialization.Encoding.PEM).decode() if certificate else None,
        )
        return fingerprint(key.public_key()), state

    def observe(self, id: str, state: SigningKeyState) -> SigningKeyState:
        """Nobody but the state has it."""
        return state

    def remove(self, id: str, state: SigningKeyState) -> None:
        """It is gone when the state no longer has it."""


class BadPkcs12(ValueError):
    """What was given is no PKCS#12 with an RSA key and its certificate, or the password is another one."""


def fingerprint(key: Any) -> str:
    """SHA-256 of a public key, by which we tell keys apart."""
    from cryptography.hazmat.primitives import serialization

    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key.public_bytes(*form)).hexdigest()


def _open(args: SigningKeyArgs) -> "tuple[rsa.RSAPrivateKey, x509.Certificate]":
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        content = base64.b64decode("".join((args.p12 or "").split()), validate=True)
        key, certificate, _ = pkcs12.load_key_and_certificates(content, (args.p12_password or "").encode())
    except binascii.Error:
        raise BadPkcs12("the p12 is not in base64: `base64 -i distribution.p12` prints it so") from None
    except ValueError:
        raise BadPkcs12("the p12 does not open with its password: give the one that it was exported with") from None
    if not isinstance(key, rsa.RSAPrivateKey) or certificate is None:
        raise BadPkcs12("the p12 has no RSA key with its certificate: export both together, from Keychain Access say")
    if key.key_size != BITS:
        raise BadPkcs12(f"the key in the p12 has {key.key_size} bits, and Apple takes {BITS}")
    return key, certificate


def _request(key: "rsa.RSAPrivateKey") -> str:
    """Apple ignores the subject, and names the certificate itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "solos")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


class SigningKey(Resource[Any], module="appstore", name="SigningKey"):
    """A key for code signing; `id` is the SHA-256 of its public half. Protect it: what it signs needs the same key again."""

    provider = SigningKeyProvider
    private_key: Output[str]
    csr: Output[str]
    adopted: Output[str | None]

    def __init__(
        self,
        resource_name: str,
        *,
        p12: Input[str] | None = None,
        p12_password: Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, {"p12": p12, "p12_password": p12_password}, opts)
