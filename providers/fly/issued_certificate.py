"""The gate behind a `Certificate`: it stands open when the certificate is issued and DNS leads to the app.

Nothing is made in the world. The wait has two parts: for a person to enter the DNS records, as long as `dns_seconds` says, and
then for Fly to get the certificate, which takes it a minute or so.
"""

from typing import Annotated, Any

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api import certificates
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

ISSUE_SECONDS = 300.0
"""How long Fly may take from right DNS to an issued certificate."""


class NotIssued(ProviderError):
    """The certificate is not there yet; the text says what to enter, or what Fly says about it."""

    __module__ = "builtins"


@record
class IssuedCertificateArgs:
    app: Annotated[Input[str], REPLACES]
    hostname: Annotated[Input[str], REPLACES]
    """Changing it waits for the other one."""
    dns_seconds: Input[float] = field(default=0.0)
    """How long to wait for a person to enter the DNS records; 0 says at once what is missing. Changed in place."""


@record
class IssuedCertificateState(IssuedCertificateArgs):
    expires_at: str = ""
    """RFC 3339. Fly renews by itself, a month before."""
    issuer: str = ""
    dns_records: list[dict[str, str]] = field(default_factory=list)
    """As `Certificate` has them."""


class IssuedCertificateProvider(FlyProvider[IssuedCertificateArgs, IssuedCertificateState]):
    Args = IssuedCertificateArgs
    State = IssuedCertificateState

    def ensure(self, args: IssuedCertificateArgs) -> tuple[str, IssuedCertificateState]:
        return f"{args.app}/{args.hostname}", self._wait(args)

    def observe(self, id: str, state: IssuedCertificateState) -> IssuedCertificateState | None:
        """None, so that the next `up` waits again, when the certificate ran out or DNS leads somewhere else."""
        found = certificates.find(self.fly, state.app, state.hostname)
        return _state(state, found) if found and _is_open(found) else None

    def sync(self, id: str, state: IssuedCertificateState, args: IssuedCertificateArgs) -> IssuedCertificateState:
        return self._wait(args)

    def remove(self, id: str, state: IssuedCertificateState) -> None:
        """Nothing: nothing was made."""

    def _wait(self, args: IssuedCertificateArgs) -> IssuedCertificateState:
        show = engine.progress()
        for_dns = waiting.clock.now() + args.dns_seconds
        seen = ""

        def issued() -> dict[str, Any] | None:
            nonlocal seen
            found = certificates.check(self.fly, args.app, args.hostname)
            if _is_open(found):
                return found
            seen = _trouble(found, args)
            show(seen)
            if found.get("rate_limited_until") or (not _is_configured(found) and waiting.clock.now() >= for_dns):
                raise NotIssued(f"there is no certificate of {args.hostname} yet: {seen}; then run up again")
            return None

        found = waiting.poll(
            issued,
            seconds=args.dns_seconds + ISSUE_SECONDS,
            waiting_for=f"the certificate of {args.hostname} to be issued",
            last_seen=lambda: seen,
            first_pause=2.0,
            max_pause=15.0,
        )
        return _state(args, found)


def _is_configured(found: dict[str, Any]) -> bool:
    return bool(found.get("configured")) and found.get("status") != "pending_ownership"


def _is_open(found: dict[str, Any]) -> bool:
    return bool(found.get("configured")) and certificates.active(found) is not None


def _trouble(found: dict[str, Any], args: IssuedCertificateArgs) -> str:
    """What is missing, and who has to do something about it."""
    if found.get("rate_limited_until"):
        return f"the certificate authority takes no more requests for it until {found['rate_limited_until']}"
    if not _is_configured(found):
        told = [str(one.get("message") or one.get("code")) for one in found.get("validation_errors") or ()]
        why = f" ({'; '.join(told)})" if told else ""
        return f"enter at the DNS provider of {args.hostname}: {certificates.to_enter(found)}{why}"
    return f"DNS is right; Fly says {found.get('status') or 'nothing'}"


def _state(args: IssuedCertificateArgs, found: dict[str, Any]) -> IssuedCertificateState:
    entry = certificates.active(found) or {}
    issued = [str(one.get("expires_at") or "") for one in entry.get("issued") or ()]
    return IssuedCertificateState(
        app=args.app,
        hostname=args.hostname,
        dns_seconds=args.dns_seconds,
        expires_at=min([*issued, str(entry.get("expires_at") or "")], key=lambda at: (not at, at)),
        issuer=str(entry.get("issuer") or ""),
        dns_records=certificates.dns_records(found),
    )


class IssuedCertificate(Resource[IssuedCertificateArgs], module="fly", name="IssuedCertificate"):
    """Open as long as the certificate is issued and DNS leads to the app; its id is `app/hostname`.

    app, hostname: changing them waits again. dns_seconds: changed in place.
    """

    provider = IssuedCertificateProvider

    hostname: Output[str]
    expires_at: Output[str]
    issuer: Output[str]
    dns_records: Output[list[dict[str, str]]]
