"""Waits until a `Certificate` is issued and DNS leads to the app.

The wait has two parts: `dns_seconds` for a person to enter the DNS records, and then about a minute for Fly to get the
certificate.
"""

from typing import Annotated

from pulumi import Output

from providers import waiting
from providers.errors import ErrorText, ProviderError
from providers.fly.api import certificates
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

ISSUE_SECONDS = 300.0
"""How long Fly may take from correct DNS to an issued certificate."""


class NotIssued(ProviderError):
    """There is no certificate yet; the text has the DNS records to enter, or Fly's reason."""

    __module__ = "builtins"


NOT_ISSUED = ErrorText(
    "there is no certificate of {hostname} yet: {reason}", remedy="then run `pulumi up` again", error=NotIssued
)


class IssuedCertificateArgs(Record):
    app: Annotated[Input[str], REPLACES]
    hostname: Annotated[Input[str], REPLACES]
    """Changing it waits for the other one."""
    dns_seconds: Input[float] = field(default=0.0)
    """How long to wait for a person to enter the DNS records; with 0, missing records are an error at once. Changed in place."""


class IssuedCertificateState(IssuedCertificateArgs):
    expires_at: str = ""
    """RFC 3339. Fly renews the certificate a month before."""
    issuer: str = ""
    dns_records: list[dict[str, str]] = field(default_factory=list)
    """As `Certificate` has them."""


class IssuedCertificateProvider(FlyGate[IssuedCertificateArgs, IssuedCertificateState]):
    Args = IssuedCertificateArgs
    State = IssuedCertificateState

    def ensure(self, args: IssuedCertificateArgs) -> tuple[str, IssuedCertificateState]:
        return f"{args.app}/{args.hostname}", self._wait(args)

    def observe(self, id: str, state: IssuedCertificateState) -> IssuedCertificateState | None:
        """None when the certificate has expired or DNS leads elsewhere: then the next `pulumi up` waits again."""
        found = certificates.find(self.fly, state.app, state.hostname)
        return _state(state, found) if found and _is_issued(found) else None

    def sync(self, id: str, state: IssuedCertificateState, args: IssuedCertificateArgs) -> IssuedCertificateState:
        return self._wait(args)

    def _wait(self, args: IssuedCertificateArgs) -> IssuedCertificateState:
        dns_deadline = waiting.clock.now() + args.dns_seconds
        seen = ""

        def issued() -> "certificates.Certificate | None":
            nonlocal seen
            found = certificates.check(self.fly, args.app, args.hostname)
            if _is_issued(found):
                return found
            seen = _missing(found, args)
            if found.rate_limited_until or (not _is_configured(found) and waiting.clock.now() >= dns_deadline):
                raise NOT_ISSUED(hostname=args.hostname, reason=seen)
            return None

        found = waiting.poll(
            issued,
            seconds=args.dns_seconds + ISSUE_SECONDS,
            waiting_for=f"the certificate of {args.hostname} to be issued",
            last_seen=lambda: seen,
            action="issuing certificate",
            first_pause=2.0,
            max_pause=15.0,
        )
        return _state(args, found)


def _is_configured(found: "certificates.Certificate") -> bool:
    return found.configured and found.status != "pending_ownership"


def _is_issued(found: "certificates.Certificate") -> bool:
    return found.configured and found.active is not None


def _missing(found: "certificates.Certificate", args: IssuedCertificateArgs) -> str:
    """What is missing, and who has to act."""
    if found.rate_limited_until:
        return f"the certificate authority accepts no more requests for it until {found.rate_limited_until}"
    if not _is_configured(found):
        reasons = "; ".join(error.message or error.code for error in found.validation_errors)
        records = certificates.to_enter(found)
        return f"enter at the DNS provider of {args.hostname}: {records}{f' ({reasons})' if reasons else ''}"
    return f"DNS is right; Fly reports {found.status or 'no status'}"


def _state(args: IssuedCertificateArgs, found: "certificates.Certificate") -> IssuedCertificateState:
    entry = found.active or certificates.Entry()
    expiries = [*(issued.expires_at for issued in entry.issued), entry.expires_at]
    return IssuedCertificateState(
        app=args.app,
        hostname=args.hostname,
        dns_seconds=args.dns_seconds,
        expires_at=min(expiries, key=lambda at: (not at, at)),
        issuer=entry.issuer,
        dns_records=certificates.dns_records(found),
    )


class IssuedCertificate(Resource[IssuedCertificateArgs], module="fly", name="IssuedCertificate"):
    """Exists while the certificate is issued and DNS leads to the app; its id is `app/hostname`.

    app, hostname: changing them waits again. dns_seconds: changed in place.
    """

    provider = IssuedCertificateProvider

    hostname: Output[str]
    expires_at: Output[str]
    issuer: Output[str]
    dns_records: Output[list[dict[str, str]]]
