"""A certificate for a hostname of one's own, which Fly gets by ACME and renews by itself. `<app>.fly.dev` needs none.

Fly makes the request at once and issues when DNS is right, which a person has to see to: `dns_records` says what to enter.
`IssuedCertificate` waits for it (fly.md, section 10).
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pulumi import Output

from providers.errors import ProviderError
from providers.fly.api import certificates
from providers.fly.api.client import FlyError, just_made
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

HOSTNAME = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
EXISTS = (409, 422)


@record
class CertificateArgs:
    app: Annotated[Input[str], REPLACES]
    """Changing it requests the certificate for the other app and removes it from this one."""
    hostname: Annotated[Input[str], REPLACES]
    """In lower case, `*.` before it for a wildcard. Changing it replaces the certificate."""


@record
class CertificateState(CertificateArgs):
    dns_records: list[dict[str, str]] = field(default_factory=list)
    """What to enter at the DNS provider, each `{"type", "name", "value", "why"}`."""


class CertificateProvider(FlyProvider[CertificateArgs, CertificateState]):
    Args = CertificateArgs
    State = CertificateState

    def validate(self, args: CertificateArgs, old: CertificateArgs | None) -> Iterable[str]:
        return problems(args.hostname)

    def ensure(self, args: CertificateArgs) -> tuple[str, CertificateState]:
        def find() -> dict[str, Any] | None:
            return certificates.find(self.fly, args.app, args.hostname)

        found = find() or make_once(
            lambda: self._request(args), find, what=f"the certificate of {args.hostname} for {args.app!r}"
        )
        return f"{args.app}/{args.hostname}", _state(args, found)

    def observe(self, id: str, state: CertificateState) -> CertificateState | None:
        found = certificates.find(self.fly, state.app, state.hostname)
        return _state(state, found) if found else None

    def remove(self, id: str, state: CertificateState) -> None:
        self.fly.call(
            "DELETE",
            f"/apps/{state.app}/certificates/{state.hostname}",
            doing=f"remove the certificate of {state.hostname} from {state.app!r}",
            accept=(404,),
            safe=True,
        )

    def _request(self, args: CertificateArgs) -> dict[str, Any]:
        try:
            made: dict[str, Any] = just_made(
                lambda: self.fly.call(
                    "POST",
                    f"/apps/{args.app}/certificates/acme",
                    doing=f"request a certificate of {args.hostname} for {args.app!r}",
                    body={"hostname": args.hostname},
                )
            )
        except FlyError as error:
            there = certificates.find(self.fly, args.app, args.hostname) if error.status in EXISTS else None
            if there is None:
                raise
            return there
        return made


def problems(hostname: str) -> Iterable[str]:
    """What is wrong with a hostname of one's own."""
    if not HOSTNAME.fullmatch(hostname):
        yield f"{hostname!r} is no hostname: write it in lower case, without https:// and without a path"
    elif hostname.endswith(".fly.dev"):
        yield f"{hostname} belongs to Fly and has a certificate already: leave it out"


def _state(args: CertificateArgs, found: dict[str, Any]) -> CertificateState:
    if found.get("hostname") != args.hostname:
        raise ProviderError(
            f"Fly answered with the certificate of {found.get('hostname')!r} in place of {args.hostname!r}: run up again"
        )
    return CertificateState(app=args.app, hostname=args.hostname, dns_records=certificates.dns_records(found))


class Certificate(Resource[CertificateArgs], module="fly", name="Certificate"):
    """A certificate of a Fly app; its id is `app/hostname`. Changing any argument replaces it."""

    provider = CertificateProvider

    hostname: Output[str]
    dns_records: Output[list[dict[str, str]]]
