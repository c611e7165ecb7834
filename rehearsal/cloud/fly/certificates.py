"""Certificates of custom hostnames, issued by ACME once the DNS records are correct.

Documents: `fly_certificate` by "app hostname", `fly_dns` by hostname. DNS records are set through the control address. The status
of a certificate is computed from both on each read.
"""

import re
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import FlyApi, fly_error
from rehearsal.cloud.fly.formats import random_id, rfc3339
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document

HOSTNAME = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
LIFETIME = 90 * 86400.0
PAGE, MAX_PAGE = 25, 500


class Certificates(FlyApi):
    """`/v1/apps/{name}/certificates`."""

    @route("GET", "/v1/apps/<name>/certificates")
    def list_certificates(self, request: Request, name: str) -> Any:
        app = self.app(request, name, "list_certificates")
        wanted = request.args.get("filter", "")
        found = [
            certificate
            for certificate in self.store.all("fly_certificate", _app=name)
            if wanted in certificate["hostname"]
        ]
        limit = min(int(request.args.get("limit", PAGE)), MAX_PAGE)
        start = int(request.args.get("cursor", 0))
        page = {
            "certificates": [
                self._certificate_summary(app, certificate) for certificate in found[start : start + limit]
            ],
            "total_count": len(found),
        }
        return {**page, "next_cursor": str(start + limit)} if start + limit < len(found) else page

    @route("POST", "/v1/apps/<name>/certificates/acme")
    def request_certificate(self, request: Request, name: str) -> Any:
        hostname = bodies.read(request, {"hostname": str}, "createAcmeCertificateRequest").get("hostname") or ""
        with self.store.transaction():
            app = self.app(request, name, "request_certificate")
            if not HOSTNAME.fullmatch(hostname) or hostname.endswith(".fly.dev"):
                raise fly_error(422, "Hostname is invalid")
            if self.store.get("fly_certificate", f"{name} {hostname}"):
                raise fly_error(422, "Hostname already exists on app")
            certificate = self.store.put(
                "fly_certificate",
                f"{name} {hostname}",
                {
                    "hostname": hostname,
                    "_app": name,
                    "_key": f"{name} {hostname}",
                    "_challenge": random_id(8),
                    "_contested": bool(self.store.all("fly_certificate", hostname=hostname)),
                    "_created": self.context.clock.now(),
                },
            )
        return self._detail(app, certificate), 201, {}

    @route("GET", "/v1/apps/<name>/certificates/<hostname>")
    def get_certificate(self, request: Request, name: str, hostname: str) -> Any:
        app = self.app(request, name, "get_certificate")
        return self._detail(app, self._certificate(name, hostname))

    @route("POST", "/v1/apps/<name>/certificates/<hostname>/check")
    def check_certificate(self, request: Request, name: str, hostname: str) -> Any:
        app = self.app(request, name, "check_certificate")
        certificate = self._certificate(name, hostname)
        points_here = self._points_here(certificate)
        requirements = self._requirements(app, certificate)
        return {
            **self._detail(app, certificate),
            "dns_records": {
                "a": requirements["a"] if points_here else [],
                "aaaa": requirements["aaaa"] if points_here else [],
                "cname": [],
            },
        }

    @route("DELETE", "/v1/apps/<name>/certificates/<hostname>")
    def delete_certificate(self, request: Request, name: str, hostname: str) -> Any:
        with self.store.transaction():
            self.app(request, name, "delete_certificate")
            self._certificate(name, hostname)
            self.store.delete("fly_certificate", f"{name} {hostname}")
        return None, 204, {}

    def app_of(self, hostname: str) -> str | None:
        """The app behind a custom hostname: the one with an active certificate, if the DNS records point to it."""
        for certificate in self.store.all("fly_certificate", hostname=hostname):
            if self._points_here(certificate) and self._certificate_status(certificate) == "active":
                return str(certificate["_app"])
        return None

    def _certificate(self, name: str, hostname: str) -> Document:
        certificate = self.store.get("fly_certificate", f"{name} {hostname}")
        if certificate is None:
            raise fly_error(404, "Certificate not found")
        return certificate

    def _points_here(self, certificate: Document) -> bool:
        dns = self.store.get("fly_dns", certificate["hostname"]) or {}
        return bool(dns.get("points_to") == certificate["_app"])

    def _certificate_status(self, certificate: Document) -> str:
        dns = self.store.get("fly_dns", certificate["hostname"]) or {}
        if certificate["_contested"] and dns.get("owned_by") != certificate["_app"]:
            return "pending_ownership"
        issued_at = self._issued_at(certificate)
        return "active" if issued_at is not None and issued_at <= self.context.clock.now() else "pending_validation"

    def _issued_at(self, certificate: Document) -> float | None:
        """When the certificate is or will be issued; None while the DNS records are not set."""
        dns = self.store.get("fly_dns", certificate["hostname"])
        if dns is None or not (self._points_here(certificate) or dns.get("challenge_of") == certificate["_app"]):
            return None
        begins = max(dns["_at"], certificate["_created"], dns.get("limited_until") or 0.0)
        return float(begins + self.context.delays.certificate_issue)

    def _requirements(self, app: Document, certificate: Document) -> Document:
        hostname, name = certificate["hostname"].removeprefix("*."), certificate["_app"]
        addresses = [address["ip"] for address in self.store.all("fly_ip", _app=name)]
        return {
            "a": [address for address in addresses if ":" not in address],
            "aaaa": [address for address in addresses if ":" in address],
            "cname": f"{certificate['_challenge']}.{name}.fly.dev",
            "acme_challenge": {
                "name": f"_acme-challenge.{hostname}",
                "target": f"{hostname}.{certificate['_challenge']}.flydns.net",
            },
            "ownership": {
                "name": f"_fly-ownership.{hostname}",
                "app_value": f"app-{app['id']}",
                "org_value": f"org-{app['organization']['internal_numeric_id']}",
            },
        }

    def _detail(self, app: Document, certificate: Document) -> Document:
        status, issued_at = self._certificate_status(certificate), self._issued_at(certificate)
        points_here = self._points_here(certificate)
        dns = self.store.get("fly_dns", certificate["hostname"]) or {}
        limited = float(dns.get("limited_until") or 0.0)
        entry: Document = {
            "source": "fly",
            "status": status,
            "created_at": rfc3339(certificate["_created"]),
            "issued": [],
        }
        if status == "active" and issued_at is not None:
            expires_at = rfc3339(issued_at + LIFETIME)
            kinds = [
                {"type": kind, "certificate_authority": "lets_encrypt", "expires_at": expires_at}
                for kind in ("rsa", "ecdsa")
            ]
            entry = {**entry, "issuer": "Let's Encrypt", "expires_at": expires_at, "issued": kinds}
        missing = {
            "code": "DNS_NOT_CONFIGURED",
            "message": f"{certificate['hostname']} does not resolve to this app",
            "remediation": "add the A and AAAA records, or the CNAME record",
            "timestamp": rfc3339(self.context.clock.now()),
        }
        return {
            "hostname": certificate["hostname"],
            "configured": points_here,
            "status": status,
            "acme_requested": True,
            "dns_provider": "enom",
            "dns_requirements": self._requirements(app, certificate),
            "validation": {
                "alpn_configured": points_here,
                "http_configured": points_here,
                "dns_configured": dns.get("challenge_of") == certificate["_app"],
                "ownership_txt_configured": dns.get("owned_by") == certificate["_app"],
            },
            "validation_errors": [] if points_here else [missing],
            "certificates": [entry],
            **({"rate_limited_until": rfc3339(limited)} if self.context.clock.now() < limited else {}),
        }

    def _certificate_summary(self, app: Document, certificate: Document) -> Document:
        detail = self._detail(app, certificate)
        return {
            "hostname": detail["hostname"],
            "configured": detail["configured"],
            "status": detail["status"],
            "acme_requested": True,
            "acme_alpn_configured": detail["validation"]["alpn_configured"],
            "acme_dns_configured": detail["validation"]["dns_configured"],
            "acme_http_configured": detail["validation"]["http_configured"],
            "ownership_txt_configured": detail["validation"]["ownership_txt_configured"],
            "dns_provider": detail["dns_provider"],
            "has_custom_certificate": False,
            "has_fly_certificate": detail["status"] == "active",
            "created_at": rfc3339(certificate["_created"]),
            "updated_at": rfc3339(certificate["_created"]),
        }
