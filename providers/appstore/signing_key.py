"""The private key with which builds are signed, generated on this machine. It is only in the stack's encrypted state.

It is a separate resource because Apple does not have the key. If the key were generated together with the certificate, and the response
were lost, the key of the certificate would be lost too. This way the key is in the state before the certificate is requested, and
its public key identifies the certificate.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from msgspec.structs import asdict
from pulumi import Output

from providers.errors import Problem, ProblemText
from providers.properties import REPLACES, SECRET
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

if TYPE_CHECKING:  # Only calls need it: a preview is quicker without.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

BITS = 2048
"""The only key size that Apple accepts in signing requests."""

NOT_BASE64 = ProblemText("p12", "the p12 is not valid base64", remedy="encode it with `base64 -i distribution.p12`")
WRONG_PASSWORD = ProblemText(
    "p12_password", "the p12 does not open with its password", remedy="set the password that it was exported with"
)
NO_IDENTITY = ProblemText(
    "p12",
    "the p12 does not contain an RSA key and its certificate",
    remedy="export both together, for example from Keychain Access",
)
WRONG_SIZE = ProblemText("p12", "the key in the p12 has {bits} bits; Apple accepts {accepted}")


class SigningKeyArgs(Record):
    p12: Annotated[Input[str | None], REPLACES, SECRET] = field(default=None)
    """A PKCS#12 file, in base64, whose key is used instead of a new one, to adopt an existing certificate. Another file replaces
    the key; removing the argument changes nothing."""
    p12_password: Annotated[Input[str | None], SECRET] = field(default=None)


class SigningKeyState(SigningKeyArgs):
    private_key: Annotated[str, SECRET]
    """PEM, PKCS#8."""
    csr: str
    """PEM. The request for a certificate of this key; it contains only the public key."""
    adopted: str | None = None
    """PEM of the certificate in `p12`."""


class SigningKeyProvider(Provider[SigningKeyArgs, SigningKeyState]):
    Args = SigningKeyArgs
    State = SigningKeyState

    def validate(self, args: SigningKeyArgs, old: SigningKeyArgs | None) -> Iterable[Problem]:
        if args.p12:
            try:
                _open(args)
            except BadPkcs12 as bad:
                yield bad.problem

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
            csr=signing_request(key),
            adopted=certificate.public_bytes(serialization.Encoding.PEM).decode() if certificate else None,
        )
        return fingerprint(key.public_key()), state

    def observe(self, id: str, state: SigningKeyState) -> SigningKeyState:
        """The state is the only copy."""
        return state

    def remove(self, id: str, state: SigningKeyState) -> None:
        """The state was the only copy."""


class BadPkcs12(Exception):
    """The p12 cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def fingerprint(key: "PublicKeyTypes") -> str:
    """SHA-256 of a public key, which identifies it."""
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
        raise BadPkcs12(NOT_BASE64()) from None
    except ValueError:
        raise BadPkcs12(WRONG_PASSWORD()) from None
    if not isinstance(key, rsa.RSAPrivateKey) or certificate is None:
        raise BadPkcs12(NO_IDENTITY())
    if key.key_size != BITS:
        raise BadPkcs12(WRONG_SIZE(bits=key.key_size, accepted=BITS))
    return key, certificate


def signing_request(key: "rsa.RSAPrivateKey") -> str:
    """A certificate signing request in PEM. Apple ignores its subject, and names the certificate itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Code signing")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


class SigningKey(Resource[SigningKeyArgs], module="appstore", name="SigningKey"):
    """A key for code signing; `id` is the SHA-256 of its public key. Protect it: later builds need the same key."""

    provider = SigningKeyProvider
    private_key: Output[str]
    csr: Output[str]
    adopted: Output[str | None]
