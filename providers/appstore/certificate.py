"""A distribution certificate: found by its public key, created when there is none, renewed before it expires, revoked only on
request.

Apple allows a team two or three of them, and issues a second one for the same key, so an unnecessary create uses up one of them.
A lost response loses nothing: the key is in the state (`SigningKey`), and the certificate of that key is adopted.
"""

import base64
import functools
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec.structs import asdict, replace
from pulumi import Output

from providers import engine, waiting
from providers.adoption import Adoptable
from providers.appstore.api import client, errors, objects
from providers.appstore.signing_key import fingerprint
from providers.errors import ErrorText, Problem, ProblemText
from providers.properties import REPLACES, SECRET
from providers.record import Input, field
from providers.resource import Provider, Resource

if TYPE_CHECKING:  # Only calls need it: a preview is quicker without.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

KDF_ROUNDS = 50_000
"""How often the password of a PKCS#12 is hashed."""
WEBSITE = "https://developer.apple.com/account/resources/certificates"
MAX_RENEWAL_DAYS = 180
"""Apple's certificates are valid for a year: with a larger number, a new certificate would soon be due for renewal again."""

WINDOW = ProblemText(
    "renew_before_days",
    "renew_before_days is {days}; it has to be 1 to {limit}, because Apple's certificates are valid for a year",
)
ADOPTED_MISSING = ErrorText(
    "the certificate in the p12, {name} with serial number {serial}, is not one of this team's certificates of type {type}: it was "
    "revoked, belongs to another team or has another type",
    remedy="compare it with {website}, use another p12, or none, to have a certificate created",
)
LIMIT_REACHED = ErrorText(
    "the team has as many certificates of type {type} as Apple allows, and none of them has this stack's key: {existing}. Nothing "
    "was revoked [{codes}]",
    remedy="set the p12 of one of them to adopt it, or revoke one that nobody needs at {website}, then run `pulumi up` again",
)
OTHER_KEY = ErrorText(
    "certificate {id} has another key than the one in its request: two requests were mixed up, at Apple or on the way to Apple",
    remedy="compare it with {website} before you run `pulumi up` again",
)

NO_CONTENT = ErrorText(
    "App Store Connect does not give the content of certificate {id}, so it is unknown whose it is",
    remedy="run `pulumi up` again in a few minutes; if this line comes back, compare the certificate with {website}",
)

CertificateType = Literal["DISTRIBUTION", "IOS_DISTRIBUTION"]


class CertificateArgs(Adoptable):
    private_key: Annotated[Input[str], SECRET]
    """PEM, of a `SigningKey`, as are the next two."""
    csr: Annotated[Input[str], REPLACES]
    """Another key needs another certificate. The old one stays valid, unless `revoke`."""
    adopted: Input[str | None] = field(default=None)
    """PEM of a certificate that has to exist: until it expires, none is created in its place."""
    type: Annotated[Input[CertificateType], REPLACES] = field(default="DISTRIBUTION")
    """DISTRIBUTION signs for all platforms; IOS_DISTRIBUTION is its predecessor."""
    renew_before_days: Input[int] = field(default=30)
    """`pulumi up` renews the certificate, with the same key, if it expires within this number of days."""
    revoke: Input[bool] = field(default=False)
    """Whether a certificate that is replaced or destroyed is revoked, which invalidates every profile that contains it, also those of
    the team's other apps. It takes effect with the `pulumi up` after the one that sets it."""


class CertificateState(CertificateArgs):
    name: str
    """The name of the identity in the keychain: Apple Distribution: Sol Labs (TEAM)."""
    serial_number: str
    expires_at: Annotated[str, REPLACES]
    """ISO 8601, UTC."""
    certificate: str
    """PEM."""
    p12: Annotated[str, SECRET]
    """The certificate and its key as PKCS#12, in base64, in the form that macOS imports."""
    p12_password: Annotated[str, SECRET]


class CertificateProvider(Provider[CertificateArgs, CertificateState]):
    Args = CertificateArgs
    State = CertificateState

    def validate(self, args: CertificateArgs, old: CertificateArgs | None) -> Iterable[Problem]:
        if not 1 <= args.renew_before_days <= MAX_RENEWAL_DAYS:
            yield WINDOW(days=args.renew_before_days, limit=MAX_RENEWAL_DAYS)

    def changed_fields(self, state: CertificateState, args: CertificateArgs) -> Iterable[str]:
        settings = ("csr", "type", "renew_before_days", "revoke")
        changed = [name for name in settings if getattr(state, name) != getattr(args, name)]
        if _is_due(datetime.fromisoformat(state.expires_at), args):
            changed.append("expires_at")
        return changed

    def ensure(self, args: CertificateArgs) -> tuple[str, CertificateState]:
        store = client.AppStore(self.config)
        found = _find(store, args)
        if found is None:
            _check_adopted(args)
            found = _create(store, args)
        return found.id, _state(found, args)

    def observe(self, id: str, state: CertificateState) -> CertificateState | None:
        """None once it is revoked. The content of a certificate never changes."""
        found = client.AppStore(self.config).get(objects.Certificate, id, doing=f"read certificate {id}")
        return state if found else None

    def sync(self, id: str, state: CertificateState, args: CertificateArgs) -> CertificateState:
        return replace(state, renew_before_days=args.renew_before_days, revoke=args.revoke)

    def remove(self, id: str, state: CertificateState) -> None:
        """Leaves it to expire, unless `revoke`. What is signed with it works in both cases."""
        if state.revoke:
            doing = f"revoke certificate {id} ({state.name})"
            client.AppStore(self.config).delete(objects.Certificate.ref(id), doing=doing)
            return
        engine.note(
            f"{state.name}, serial number {state.serial_number}, stays valid until {state.expires_at[:10]}, and counts towards "
            f"Apple's limit: revoke it at {WEBSITE} when nobody needs it"
        )


def _create(store: "client.AppStore", args: CertificateArgs) -> "objects.Certificate":
    try:
        return store.create(
            objects.Certificate,
            {"csr_content": args.csr, "certificate_type": args.type},
            doing=f"create a certificate of type {args.type}",
            find=lambda: _find(store, args),
        )
    except errors.CertificateLimit as limit:
        existing = "; ".join(
            f"{certificate.serial_number} ({certificate.name or certificate.display_name}, until {_expiry(certificate):%Y-%m-%d})"
            for certificate in _all(store, args.type)
            if certificate.certificate_content
        )
        raise LIMIT_REACHED(
            type=args.type,
            existing=existing or "App Store Connect shows none, so one is being requested",
            website=WEBSITE,
            codes=", ".join(limit.codes),
        ) from None


def _find(store: "client.AppStore", args: CertificateArgs) -> "objects.Certificate | None":
    """The certificate of our key that is valid longest; None if all of them are due for renewal. Raises if one that has no content
    could be it."""
    from cryptography import x509

    wanted = fingerprint(x509.load_pem_x509_csr(args.csr.encode()).public_key())
    listed = _all(store, args.type)
    usable = [
        certificate
        for certificate in listed
        if certificate.certificate_content
        and fingerprint(_content(certificate).public_key()) == wanted
        and not _is_due(_expiry(certificate), args)
    ]
    unclear = [certificate for certificate in listed if not certificate.certificate_content]
    if unclear and not usable:
        raise NO_CONTENT(id=unclear[0].id, website=WEBSITE)
    return max(usable, key=_expiry, default=None)


def _all(store: "client.AppStore", type: CertificateType) -> "list[objects.Certificate]":
    listed = store.list_all(
        objects.Certificate, doing=f"look up certificates of type {type}", query={"filter[certificateType]": type}
    )
    return [certificate for certificate in listed if certificate.certificate_type == type]


def _is_due(expiry: datetime, args: CertificateArgs) -> bool:
    now = datetime.fromtimestamp(waiting.clock.wall(), UTC)
    return expiry <= now + timedelta(days=args.renew_before_days)


def _check_adopted(args: CertificateArgs) -> None:
    """Raise if the certificate to adopt was not found although it has not expired: do not create another one instead."""
    from cryptography import x509

    if args.adopted is None:
        return
    adopted = x509.load_pem_x509_certificate(args.adopted.encode())
    if not _is_due(adopted.not_valid_after_utc, args):
        raise ADOPTED_MISSING(name=_name(adopted), serial=f"{adopted.serial_number:X}", type=args.type, website=WEBSITE)


def _state(found: "objects.Certificate", args: CertificateArgs) -> CertificateState:
    from cryptography.hazmat.primitives import serialization

    certificate, key = _content(found), _key(args.private_key)
    if fingerprint(certificate.public_key()) != fingerprint(key.public_key()):
        raise OTHER_KEY(id=found.id, website=WEBSITE)
    password = secrets.token_urlsafe(24)
    return CertificateState(
        **asdict(args),
        name=_name(certificate),
        serial_number=f"{certificate.serial_number:X}",
        expires_at=certificate.not_valid_after_utc.isoformat(),
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        p12=base64.b64encode(in_macos_form(key, certificate, password)).decode(),
        p12_password=password,
    )


@functools.lru_cache(maxsize=1)
def _key(pem: str) -> "rsa.RSAPrivateKey":
    """Cached: to load it checks that its numbers are prime, which takes longer than to make the certificate's files."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def in_macos_form(key: "rsa.RSAPrivateKey", certificate: "x509.Certificate", password: str) -> bytes:
    """PKCS#12 in the old form, triple DES and SHA-1: macOS fails with "MAC verification failed" on today's form
    (https://github.com/pyca/cryptography/issues/7293)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(KDF_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 (see above; the file is protected by being in encrypted state)
        .build(password.encode())
    )
    return pkcs12.serialize_key_and_certificates(_name(certificate).encode(), key, certificate, None, encryption)


def _content(certificate: "objects.Certificate") -> "x509.Certificate":
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(certificate.certificate_content.content)
    except ValueError:
        raise NO_CONTENT(id=certificate.id, website=WEBSITE) from None


def _expiry(certificate: "objects.Certificate") -> datetime:
    return _content(certificate).not_valid_after_utc


def _name(certificate: "x509.Certificate") -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


class Certificate(Resource[CertificateArgs], module="appstore", name="Certificate"):
    """A certificate for signing builds. `id` is Apple's id of it, which profiles refer to."""

    provider = CertificateProvider
    type: Output[str]
    name: Output[str]
    serial_number: Output[str]
    expires_at: Output[str]
    certificate: Output[str]
    p12: Output[str]
    p12_password: Output[str]
