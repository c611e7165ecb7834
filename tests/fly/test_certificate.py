"""A certificate for a custom hostname: requested once, its DNS records listed, waited for, served."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.driver import Driven, Refused
from harness.inprocess import Doubles, control
from providers.errors import ProviderError
from providers.fly.api import certificates
from providers.fly.api.client import Fly
from providers.fly.app import AppProvider
from providers.fly.certificate import CertificateProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.issued_certificate import IssuedCertificateProvider, NotIssued
from rehearsal.cloud.world import World

HOSTNAME = "api.sollabs.example"
CERTIFICATE = {"app": "solos-prod", "hostname": HOSTNAME}
Configured = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def app(configured: Configured) -> Driven:
    app = Driven(configured(AppProvider))
    app.up(name="solos-prod", org="sol-labs")
    for kind in ("shared_v4", "v6"):
        Driven(configured(IpAddressProvider)).up(app="solos-prod", type=kind)
    return app


@pytest.fixture
def certificate(configured: Configured) -> Driven:
    certificate = Driven(configured(CertificateProvider))
    certificate.up(**CERTIFICATE)
    return certificate


@pytest.fixture
def gate(configured: Configured) -> Driven:
    return Driven(configured(IssuedCertificateProvider))


def enter_dns(world: World, **message: Any) -> None:
    control(world, "POST", "/fly/dns", {"hostname": HOSTNAME, **message})


def test_certificate_lists_dns_records(certificate: Driven, world: World) -> None:
    (v4, v6) = sorted((address["ip"] for address in world.store.all("fly_ip")), key=lambda ip: ":" in ip)

    records = {(record["type"], record["name"]): record["value"] for record in certificate.outputs["dns_records"]}

    assert records["A", HOSTNAME] == v4
    assert records["AAAA", HOSTNAME] == v6
    assert records["CNAME", HOSTNAME].endswith(".solos-prod.fly.dev")
    assert ("TXT", f"_fly-ownership.{HOSTNAME}") in records


def test_certificate_is_adopted(certificate: Driven, configured: Configured) -> None:
    second = Driven(configured(CertificateProvider))  # Another stack, or one made by `fly certs add`.

    certificate.up(**CERTIFICATE)
    second.up(**CERTIFICATE)

    assert certificate.steps == ["create", "same"]
    assert second.outputs == certificate.outputs


@pytest.mark.parametrize("hostname", ["https://api.sollabs.example", "API.sollabs.example", "sollabs", "x.fly.dev"])
def test_bad_hostname_is_refused(configured: Configured, hostname: str) -> None:
    with pytest.raises(Refused):
        Driven(configured(CertificateProvider)).up(app="solos-prod", hostname=hostname)


@pytest.mark.usefixtures("certificate")
def test_gate_names_missing_records(gate: Driven, world: World) -> None:
    (v4,) = (address["ip"] for address in world.store.all("fly_ip") if ":" not in address["ip"])

    with pytest.raises(NotIssued, match=f"A {HOSTNAME} {v4}") as message:
        gate.up(**CERTIFICATE)

    assert "run `pulumi up` again" in str(message.value)
    assert "\n" not in str(message.value)


@pytest.mark.usefixtures("certificate")
def test_gate_waits_for_fly(gate: Driven, world: World) -> None:
    control(world, "POST", "/delays", {"certificate_issue": 40})
    enter_dns(world, points_to="solos-prod")

    gate.up(**CERTIFICATE)

    assert gate.outputs["expires_at"].startswith("2026-")
    assert gate.outputs["issuer"] == "Let's Encrypt"


@pytest.mark.usefixtures("certificate")
def test_gate_waits_for_dns(gate: Driven, world: World) -> None:
    before = world.clock.now()

    with pytest.raises(NotIssued):
        gate.up(**CERTIFICATE, dns_seconds=120)

    assert world.clock.now() - before >= 120


@pytest.mark.usefixtures("certificate")
def test_authority_limit_is_reported(gate: Driven, world: World) -> None:
    before = world.clock.now()
    enter_dns(world, points_to="solos-prod", limited_until=before + 3600)

    with pytest.raises(NotIssued, match="the certificate authority accepts no more requests for it until 2026-"):
        gate.up(**CERTIFICATE, dns_seconds=7200)
    told_at = world.clock.now()
    world.clock.sleep(3600)
    gate.up(**CERTIFICATE)

    assert told_at - before < 10
    assert gate.outputs["issuer"] == "Let's Encrypt"


def test_contested_hostname_needs_ownership(
    configured: Configured, gate: Driven, world: World, certificate: Driven
) -> None:
    Driven(configured(AppProvider)).up(name="solos-second", org="sol-labs")
    arguments = {"app": "solos-second", "hostname": HOSTNAME}
    Driven(configured(CertificateProvider)).up(**arguments)
    enter_dns(world, points_to="solos-second")

    with pytest.raises(NotIssued, match=f"TXT _fly-ownership.{HOSTNAME} app-"):
        gate.up(**arguments)
    enter_dns(world, points_to="solos-second", owned_by="solos-second")
    gate.up(**arguments)

    assert gate.outputs["expires_at"]


@pytest.mark.usefixtures("certificate")
def test_gate_closes_on_dns_change(gate: Driven, world: World) -> None:
    enter_dns(world, points_to="solos-prod")
    gate.up(**CERTIFICATE)

    assert gate.refresh() is True
    enter_dns(world, points_to="somebody-else")
    assert gate.refresh() is False


@pytest.mark.usefixtures("certificate")
def test_edge_answers_with_certificate(gate: Driven, world: World) -> None:
    with httpx.Client(transport=Doubles(world), base_url="http://proxy.test", headers={"Host": HOSTNAME}) as browser:
        assert browser.get("/health").text == "no such host"
        enter_dns(world, points_to="solos-prod")
        gate.up(**CERTIFICATE)
        assert browser.get("/health").text == "no healthy machine"


def test_certificate_is_removed_twice(certificate: Driven, world: World) -> None:
    id, outputs = certificate.id, dict(certificate.outputs)

    certificate.destroy()
    Driven(certificate.provider, id=id, outputs=outputs).destroy()

    assert world.store.all("fly_certificate") == []


def test_every_page_is_listed(world: World, fly: Fly, certificate: Driven) -> None:
    """Fly shows 25 of them unless it is asked for more."""
    (first,) = world.store.all("fly_certificate")
    for number in range(600):
        hostname = f"host-{number}.sollabs.example"
        world.store.put("fly_certificate", hostname, {**first, "hostname": hostname})

    assert len(certificates.list_all(fly, "solos-prod")) == 601


def test_endless_list_is_refused(fly: Fly, certificate: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    page = certificates._Page(certificates=[], next_cursor="25")
    monkeypatch.setattr(fly, "call", lambda *_, **__: page)

    with pytest.raises(ProviderError, match="does not end"):
        certificates.list_all(fly, "solos-prod")
