"""A certificate for a custom hostname, which Fly gets by ACME and renews. `<app>.fly.dev` needs none.

Fly issues it when DNS is right, which a person has to do: `dns_records` lists the records to enter. `IssuedCertificate` waits
for it (https://fly.io/docs/networking/custom-domain/).
"""

import re
from collections.abc import Iterable
from typing import Annotated

from pulumi import Output

from providers.adoption import Adoptable
from providers.creation import create_idempotent
from providers.errors import ErrorText, Problem, ProblemText
from providers.fly.api import certificates, client
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field
from providers.resource import Resource

HOSTNAME = r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
EXISTS = (409, 422)

NOT_VALID = ProblemText(
    "hostname",
    "'{hostname}' is not a valid hostname",
    remedy="write it in lower case, without https:// and without a path",
)
FLYS_OWN = ProblemText(
    "hostname", "{hostname} belongs to Fly and has a certificate already", remedy="leave the certificate out"
)
OTHER_HOSTNAME = ErrorText(
    "Fly returned the certificate of {found} instead of {hostname}", remedy="run `pulumi up` again"
)


class CertificateArgs(Adoptable):
    app: Annotated[Input[str], REPLACES]
    """Changing it requests the certificate for the other app and removes it from this one."""
    hostname: Annotated[Input[str], REPLACES]
    """In lower case; a wildcard begins with `*.`. Changing it replaces the certificate."""


class CertificateState(CertificateArgs):
    dns_records: list[dict[str, str]] = field(default_factory=list)
    """The records to enter at the DNS provider, each `{"type", "name", "value", "why"}`."""


class CertificateProvider(FlyProvider[CertificateArgs, CertificateState]):
    Args = CertificateArgs
    State = CertificateState

    def validate(self, args: CertificateArgs, old: CertificateArgs | None) -> Iterable[Problem]:
        return problems(args.hostname)

    def ensure(self, args: CertificateArgs) -> tuple[str, CertificateState]:
        def find() -> "certificates.Certificate | None":
            return certificates.find(self.fly, args.app, args.hostname)

        found = find() or create_idempotent(
            lambda: self._request(args), find, what=f"the certificate of {args.hostname} for app {args.app}"
        )
        return f"{args.app}/{args.hostname}", _state(args, found)

    def observe(self, id: str, state: CertificateState) -> CertificateState | None:
        found = certificates.find(self.fly, state.app, state.hostname)
        return _state(state, found) if found else None

    def remove(self, id: str, state: CertificateState) -> None:
        self.fly.call(
            "DELETE",
            f"/apps/{state.app}/certificates/{state.hostname}",
            doing=f"remove the certificate of {state.hostname} from app {state.app}",
            accept=(404,),
            safe=True,
        )

    def _request(self, args: CertificateArgs) -> "certificates.Certificate":
        try:
            return client.retry_until_visible(lambda: certificates.request(self.fly, args.app, args.hostname))
        except client.FlyError as error:
            existing = certificates.find(self.fly, args.app, args.hostname) if error.status in EXISTS else None
            if existing is None:
                raise
            return existing


def problems(hostname: str) -> Iterable[Problem]:
    """What is wrong with a custom hostname."""
    if not re.fullmatch(HOSTNAME, hostname):
        yield NOT_VALID(hostname=hostname)
    elif hostname.endswith(".fly.dev"):
        yield FLYS_OWN(hostname=hostname)


def _state(args: CertificateArgs, found: "certificates.Certificate") -> CertificateState:
    if found.hostname != args.hostname:
        raise OTHER_HOSTNAME(found=found.hostname, hostname=args.hostname)
    return CertificateState(app=args.app, hostname=args.hostname, dns_records=certificates.dns_records(found))


class Certificate(Resource[CertificateArgs], module="fly", name="Certificate"):
    """A certificate of a Fly app; its id is `app/hostname`. Changing any argument replaces it."""

    provider = CertificateProvider

    hostname: Output[str]
    dns_records: Output[list[dict[str, str]]]
