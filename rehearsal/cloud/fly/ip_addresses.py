"""IP addresses of an app. They have no ids: the address is the key."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import FlyApi, fly_error
from rehearsal.cloud.fly.formats import public, rfc3339
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document, Store

ASSIGN = {"type": str, "region": str, "org_slug": str, "network": str, "service_name": str}
SHARED = "66.241.124.100"
KINDS = ("v4", "v6", "shared_v4", "private_v6")


class IpAddresses(FlyApi):
    """`/v1/apps/{name}/ip_assignments`."""

    @route("GET", "/v1/apps/<name>/ip_assignments")
    def list_ips(self, request: Request, name: str) -> Any:
        self.app(request, name, "list_ips")
        return {"ips": [public(ip) for ip in self.listed(self.store.all("fly_ip", _app=name))]}

    @route("POST", "/v1/apps/<name>/ip_assignments")
    def assign_ip(self, request: Request, name: str) -> Any:
        body = bodies.read(request, ASSIGN, "assignIPRequest")
        kind = body.get("type")
        if kind not in KINDS:
            raise bodies.refused(f"invalid_argument: invalid IP type {kind!r}")
        with self.store.transaction():
            self.app(request, name, "assign_ip")
            address = SHARED if kind == "shared_v4" else self._new_address(kind)
            known = self.store.get("fly_ip", f"{name} {address}")
            return public(known or self._assign(name, address, body))

    def _new_address(self, kind: str) -> str:
        number = self.store.count(f"fly_ip_{kind}")
        if kind == "v4":
            return f"137.66.{number // 250}.{number % 250 + 1}"
        return f"{'fdaa:0:18' if kind == 'private_v6' else '2a09:8280:1'}::{number:x}:0"

    def _assign(self, name: str, address: str, body: Document) -> Document:
        private = body["type"] == "private_v6"
        key = f"{name} {address}"
        return self.store.put(
            "fly_ip",
            key,
            {
                "ip": address,
                "type": body["type"],
                "region": body.get("region") or "global",
                "shared": body["type"] == "shared_v4",
                "service_name": body.get("service_name") or "",
                "egress": False,
                "network": {"name": body.get("network") or "", "org_slug": body.get("org_slug") or ""}
                if private
                else None,
                "created_at": rfc3339(self.context.clock.now()),
                "_app": name,
                "_key": key,
            },
        )

    @route("DELETE", "/v1/apps/<name>/ip_assignments/<ip>")
    def release_ip(self, request: Request, name: str, ip: str) -> Any:
        with self.store.transaction():
            self.app(request, name, "release_ip")
            release(self.store, name, ip)
        return None, 204, {}


def release(store: Store, app: str, ip: str) -> None:
    """Raises Refusal 404 if the app does not have the address."""
    if store.get("fly_ip", f"{app} {ip}") is None:
        raise fly_error(404, "IP address not found")
    store.delete("fly_ip", f"{app} {ip}")
