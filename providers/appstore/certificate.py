"""A distribution certificate: found by its public key, made when there is none, renewed before it expires, revoked only on request.

Apple allows a team two or three of them and certifies any key twice, so a careless create is paid for by the team. Whatever
is lost on the way, the key is in the state (`SigningKey`), and the certificate of that key is taken over (section 11).
"""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pulumi
from pulumi import Input, Output

from providers import engine, waiting
from providers.appstore.api.client import AppStore, Entity
from providers.appstore.api.errors import AppStoreError, CertificateLimit
from providers.appstore.signing_key import fingerprint
from providers.errors import ProviderError
from providers.properties import REPLACES, SECRET
from providers.resource import Provider, Resource

if TYPE_CHECKING:  # Only calls need it: a preview is quicker without.
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

KDF_ROUNDS = 50_000
"""How often the password of a PKCS#12 is hashed; codemagic takes as many."""
WEBSITE = "https://developer.apple.com/account/resources/certificates"
LONGEST_WINDOW = 180
"""Days. Apple's certificates live for a year: within a longer window a new one would soon be due again."""

CertificateType = Literal["DISTRIBUTION", "IOS_DISTRIBUTION"]


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    private_key: Annotated[str, SECRET]
    """PEM, of a `SigningKey`, as are the next two."""
    csr: Annotated[str, REPLACES]
    """Another key needs another certificate. The old one stays, unless `revoke`."""
    adopted: str | None = None
    """PEM of a certificate that has to be there already: as long as it has not expired, none is made in its place."""
    type: Annotated[CertificateType, REPLACES] = "DISTRIBUTION"
    """DISTRIBUTION signs for all platforms; IOS_DISTRIBUTION is its predecessor."""
    renew_before_days: int = 30
    """So long before the certificate expires, `up` makes another one of the same key."""
    revoke: bool = False
    """Whether a certificate that is replaced or destroyed is revoked, which invalidates every profile that holds it, the
    team's other apps' as well. It counts from the `up` after the one that sets it."""


@dataclass(frozen=True, kw_only=True)
class CertificateState(CertificateArgs):
    name: str = ""
    """As the keychain calls the identity: Apple Distribution: Sol Labs (TEAM)."""
    serial_number: str = ""
    expires_at: Annotated[str, REPLACES] = ""
    """ISO 8601, UTC."""
    certificate: str = ""
    """PEM."""
    p12: Annotated[str, SECRET] = ""
    """The certificate and its key as PKCS#12, in base64, in the form that macOS imports."""
    p12_password: Annotated[str, SECRET] = ""


class CertificateProvider(Provider[CertificateArgs, CertificateState]):
    Args = CertificateArgs
    State = CertificateState

    def validate(self, args: CertificateArgs, old: CertificateArgs | None) -> Iterable[str]:
        if not 1 <= args.renew_before_days <= LONGEST_WINDOW:
            yield f"renew_before_days is {args.renew_before_days}; Apple's certificates live for a year: 1 to {LONGEST_WINDOW}"

    def changed_fields(self, state: CertificateState, args: CertificateArgs) -> Iterable[str]:
        settings = ("csr", "type", "renew_before_days", "revoke")
        differing = [name for name in settings if getattr(state, name) != getattr(args, name)]
        if _is_due(datetime.fromisoformat(state.expires_at), args):
            differing.append("expires_at")
        return differing

    def ensure(self, args: CertificateArgs) -> tuple[str, CertificateState]:
        store = AppStore(self.config)
        found = _find(store, args)
        if found is None:
            _refuse_in_place_of_adopted(args)
            found = self._make(store, args)
        return found.id, _state(found, args)

    def observe(self, id: str, state: CertificateState) -> CertificateState | None:
        """Gone once it is revoked. What is in a certificate never changes."""
        found = AppStore(self.config).get(f"/v1/certificates/{id}", doing=f"read certificate {id}")
        return state if found else None

    def sync(self, id: str, state: CertificateState, args: CertificateArgs) -> CertificateState:
        return replace(state, renew_before_days=args.renew_before_days, revoke=args.revoke)

    def remove(self, id: str, state: CertificateState) -> None:
        """Left to expire, unless it was said to be revoked: what it has signed goes on working either way."""
        if state.revoke:
            AppStore(self.config).delete(f"/v1/certificates/{id}", doing=f"revoke certificate {id} ({state.name})")
            return
        engine.note(
            f"{state.name}, serial number {state.serial_number}, stays valid until {state.expires_at[:10]}, and counts among "
            f"those that Apple allows: revoke it at {WEBSITE} once nobody needs it"
        )

    def _make(self, store: AppStore, args: CertificateArgs) -> Entity:
        try:
            return store.create(
                "certificates",
                {"csrContent": args.csr, "certificateType": args.type},
                doing=f"make a certificate of type {args.type}",
                find=lambda: _find(store, args),
            )
        except CertificateLimit as limit:
            raise ProviderError(_what_there_is(store, args, limit)) from None


def _find(store: AppStore, args: CertificateArgs) -> Entity | None:
    """The certificate of our key that will last longest; none that is about to be renewed."""
    from cryptography import x509

    wanted = fingerprint(x509.load_pem_x509_csr(args.csr.encode()).public_key())
    fitting = [
        each
        for each in _all(store, args.type)
        if fingerprint(_content(each).public_key()) == wanted and not _is_due(_expiry(each), args)
    ]
    return max(fitting, key=_expiry, default=None)


def _all(store: AppStore, type: CertificateType) -> list[Entity]:
    listed = store.list_all(
        "/v1/certificates", doing=f"look up certificates of type {type}", **{"filter[certificateType]": type}
    )
    return [each for each in listed if each["certificateType"] == type and each["certificateContent"]]


def _is_due(expiry: datetime, args: CertificateArgs) -> bool:
    now = datetime.fromtimestamp(waiting.clock.wall(), UTC)
    return expiry <= now + timedelta(days=args.renew_before_days)


def _refuse_in_place_of_adopted(args: CertificateArgs) -> None:
    from cryptography import x509

    if args.adopted is None:
        return
    adopted = x509.load_pem_x509_certificate(args.adopted.encode())
    if not _is_due(adopted.not_valid_after_utc, args):
        raise ProviderError(
            f"the certificate in the p12, {_name(adopted)} with serial number {adopted.serial_number:X}, is not among this "
            f"team's of type {args.type}: it was revoked, is another team's or of another type. See {WEBSITE}, give another "
            "p12, or give none to have a certificate made"
        )


def _what_there_is(store: AppStore, args: CertificateArgs, limit: AppStoreError) -> str:
    there = "; ".join(
        f"{each['serialNumber']} ({each['name'] or each['displayName']}, until {_expiry(each):%Y-%m-%d})"
        for each in _all(store, args.type)
    )
    return (
        f"the team has as many certificates of type {args.type} as Apple allows, and none of them is of this stack's key: "
        f"{there or 'none is shown, so one is being requested'}. Nothing was revoked. Give the p12 of one of them to take it "
        f"over, or revoke one that nobody needs at {WEBSITE}, then run up again [{', '.join(limit.codes)}]"
    )


def _state(entity: Entity, args: CertificateArgs) -> CertificateState:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    certificate = _content(entity)
    key = serialization.load_pem_private_key(args.private_key.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    if fingerprint(certificate.public_key()) != fingerprint(key.public_key()):
        raise ProviderError(
            f"certificate {entity.id} is not of the key that it was requested for: Apple mixed two requests up, or something "
            f"between here and Apple did; look at it at {WEBSITE} before running up again"
        )
    password = secrets.token_urlsafe(24)
    return CertificateState(
        private_key=args.private_key,
        csr=args.csr,
        adopted=args.adopted,
        type=args.type,
        renew_before_days=args.renew_before_days,
        revoke=args.revoke,
        name=_name(certificate),
        serial_number=f"{certificate.serial_number:X}",
        expires_at=certificate.not_valid_after_utc.isoformat(),
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        p12=base64.b64encode(in_macos_form(key, certificate, password)).decode(),
        p12_password=password,
    )


def in_macos_form(key: "rsa.RSAPrivateKey", certificate: "x509.Certificate", password: str) -> bytes:
    """PKCS#12 in the old form, triple DES and SHA-1: macOS says "MAC verification failed" to today's (pyca/cryptography #7293)."""
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


def _content(entity: Entity) -> "x509.Certificate":
    from cryptography import x509

    return x509.load_der_x509_certificate(base64.b64decode(entity["certificateContent"]))


def _expiry(entity: Entity) -> datetime:
    return _content(entity).not_valid_after_utc


def _name(certificate: "x509.Certificate") -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


class Certificate(Resource[Any], module="appstore", name="Certificate"):
    """A certificate for signing builds. `id` is Apple's id of it, which profiles refer to."""

    provider = CertificateProvider
    type: Output[str]
    name: Output[str]
    serial_number: Output[str]
    expires_at: Output[str]
    certificate: Output[str]
    p12: Output[str]
    p12_password: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        private_key: Input[str],
        csr: Input[str],
        adopted: Input[str | None] = None,
        type: Input[str] = "DISTRIBUTION",
        renew_before_days: Input[int] = 30,
        revoke: Input[bool] = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        arguments: dict[str, Any] = {
            "private_key": private_key,
            "csr": csr,
            "adopted": adopted,
            "type": type,
            "renew_before_days": renew_before_days,
            "revoke": revoke,
        }
        super().__init__(resource_name, arguments, opts)
