"""Certificates of custom hostnames, and the DNS records that they need."""

import msgspec

from providers.errors import ErrorText
from providers.fly.api.client import Fly, NotFound

PAGE = 500
"""Certificates per response: the most that Fly allows. Other lists of Fly come whole when no limit is given."""
ENDLESS = ErrorText(
    "Fly's list of the certificates of app {app} does not end: its next page was read already",
    remedy="run `pulumi up` again",
)


class Challenge(msgspec.Struct):
    name: str = ""
    target: str = ""


class Ownership(msgspec.Struct):
    name: str = ""
    app_value: str = ""


class DnsRequirements(msgspec.Struct):
    a: list[str] = []
    aaaa: list[str] = []
    cname: str = ""
    acme_challenge: Challenge = msgspec.field(default_factory=Challenge)
    ownership: Ownership = msgspec.field(default_factory=Ownership)


class Issued(msgspec.Struct):
    expires_at: str = ""
    """RFC 3339."""


class Entry(msgspec.Struct):
    """One certificate of the hostname."""

    status: str = ""
    issuer: str = ""
    expires_at: str = ""
    issued: list[Issued] = []
    """One per key type."""


class ValidationError(msgspec.Struct):
    code: str = ""
    message: str = ""


class Certificate(msgspec.Struct):
    hostname: str
    status: str = ""
    configured: bool = False
    """Whether DNS leads to the app."""
    rate_limited_until: str = ""
    dns_requirements: DnsRequirements = msgspec.field(default_factory=DnsRequirements)
    validation_errors: list[ValidationError] = []
    certificates: list[Entry] = []

    @property
    def active(self) -> Entry | None:
        """The certificate in use; None while there is none."""
        return next((entry for entry in self.certificates if entry.status == "active"), None)


class _Page(msgspec.Struct):
    certificates: list[Certificate]
    next_cursor: str = ""


def find(fly: Fly, app: str, hostname: str) -> Certificate | None:
    """The certificate of `hostname`; None when the app has none for it."""
    path = f"/apps/{app}/certificates/{hostname}"
    try:
        return fly.call("GET", path, doing=f"look up the certificate of {hostname}", shape=Certificate)
    except NotFound:
        return None


def list_all(fly: Fly, app: str) -> list[Certificate]:
    """The certificates of the app, from every page. Raises NotFound when there is no such app."""
    doing = f"list the certificates of app {app}"
    found: list[Certificate] = []
    cursors: list[str] = []
    while True:
        params = {"limit": PAGE, **({"cursor": cursors[-1]} if cursors else {})}
        page = fly.call("GET", f"/apps/{app}/certificates", doing=doing, shape=_Page, params=params)
        found += page.certificates
        if not page.next_cursor:
            return found
        if page.next_cursor in cursors:
            raise ENDLESS(app=app)
        cursors.append(page.next_cursor)


def request(fly: Fly, app: str, hostname: str) -> Certificate:
    """Ask Fly to get a certificate by ACME and to renew it."""
    path, doing = f"/apps/{app}/certificates/acme", f"request a certificate of {hostname} for app {app}"
    return fly.call("POST", path, doing=doing, shape=Certificate, body={"hostname": hostname})


def check(fly: Fly, app: str, hostname: str) -> Certificate:
    """The certificate of `hostname`, after Fly has looked at its DNS again. Idempotent."""
    path = f"/apps/{app}/certificates/{hostname}/check"
    return fly.call("POST", path, doing=f"check the DNS of {hostname}", shape=Certificate, safe=True)


def dns_records(certificate: Certificate) -> list[dict[str, str]]:
    """The records to enter, each `{"type", "name", "value", "why"}`; `why` says when the record is needed."""
    hostname, needs = certificate.hostname, certificate.dns_requirements
    records = [
        *[("A", hostname, value, "address") for value in needs.a],
        *[("AAAA", hostname, value, "address") for value in needs.aaaa],
        ("CNAME", hostname, needs.cname, "address, in place of A and AAAA; not at the top of a domain"),
        (
            "CNAME",
            needs.acme_challenge.name,
            needs.acme_challenge.target,
            "only to get the certificate before the address points here",
        ),
        (
            "TXT",
            needs.ownership.name,
            needs.ownership.app_value,
            "only if another app or organisation has the hostname",
        ),
    ]
    return [{"type": kind, "name": name, "value": value, "why": why} for kind, name, value, why in records if value]


def to_enter(certificate: Certificate) -> str:
    """The records that a person has to enter now, in one line."""
    is_contested = certificate.status == "pending_ownership"
    wanted = [
        f"{record['type']} {record['name']} {record['value']}"
        for record in dns_records(certificate)
        if record["why"] == "address" or (is_contested and record["type"] == "TXT")
    ]
    return ", ".join(wanted)
