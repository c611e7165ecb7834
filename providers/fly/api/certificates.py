"""What the resources around certificates share: finding one, and saying what a person has to enter at the DNS provider."""

from typing import Any

from providers.fly.api.client import Fly, NotFound


def find(fly: Fly, app: str, hostname: str) -> dict[str, Any] | None:
    """The certificate of `hostname`, in Fly's form; None when the app has none for it."""
    try:
        found: dict[str, Any] = fly.call(
            "GET", f"/apps/{app}/certificates/{hostname}", doing=f"look up the certificate of {hostname}"
        )
    except NotFound:
        return None
    return found


def check(fly: Fly, app: str, hostname: str) -> dict[str, Any]:
    """The certificate of `hostname` after Fly has looked at its DNS anew. Repeatable."""
    found: dict[str, Any] = fly.call(
        "POST", f"/apps/{app}/certificates/{hostname}/check", doing=f"check the DNS of {hostname}", safe=True
    )
    return found


def dns_records(certificate: dict[str, Any]) -> list[dict[str, str]]:
    """The records to enter, each `{"type", "name", "value", "why"}`; `why` says when it is needed."""
    hostname = certificate["hostname"]
    needs = certificate.get("dns_requirements") or {}
    challenge, ownership = needs.get("acme_challenge") or {}, needs.get("ownership") or {}
    records = [
        *[(kind, hostname, value, "address") for kind in ("A", "AAAA") for value in needs.get(kind.lower()) or ()],
        ("CNAME", hostname, needs.get("cname"), "address, in place of A and AAAA; not at the top of a domain"),
        (
            "CNAME",
            challenge.get("name"),
            challenge.get("target"),
            "only to get the certificate before the address points here",
        ),
        (
            "TXT",
            ownership.get("name"),
            ownership.get("app_value"),
            "only if another app or organisation has the hostname",
        ),
    ]
    return [{"type": kind, "name": name, "value": value, "why": why} for kind, name, value, why in records if value]


def to_enter(certificate: dict[str, Any]) -> str:
    """What a person has to enter now, in one line."""
    contested = certificate.get("status") == "pending_ownership"
    wanted = [
        f"{record['type']} {record['name']} {record['value']}"
        for record in dns_records(certificate)
        if record["why"] == "address" or (contested and record["type"] == "TXT")
    ]
    return ", ".join(wanted)


def active(certificate: dict[str, Any]) -> dict[str, Any] | None:
    """The one of its certificates that is in use; None as long as there is none."""
    return next((one for one in certificate.get("certificates") or () if one.get("status") == "active"), None)
