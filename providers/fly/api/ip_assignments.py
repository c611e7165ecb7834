"""The addresses of an app. An address has no id and, in the documented response, no type."""

import msgspec

from providers.decoding import require
from providers.fly.api.client import Fly


class Network(msgspec.Struct):
    name: str = ""


class IpAssignment(msgspec.Struct):
    ip: str = ""
    """Empty for a pair of addresses for egress."""
    region: str = ""
    shared: bool | None = None
    egress: bool = False
    created_at: str = ""
    """RFC 3339, in UTC."""
    network: Network | None = None
    """Only private addresses have one."""

    def __post_init__(self) -> None:
        require(self.ip or self.egress, "Object missing required field ip")
        is_known = self.egress or ":" in self.ip or self.shared is not None
        require(is_known, "Object missing required field shared")

    @property
    def kind(self) -> str:
        """`shared_v4`, `v4`, `v6` or `private_v6`."""
        if ":" in self.ip:
            return "private_v6" if self.network or self.ip.startswith("fdaa:") else "v6"
        return "shared_v4" if self.shared else "v4"


class _Listed(msgspec.Struct):
    ips: list[IpAssignment]


def list_all(fly: Fly, app: str) -> list[IpAssignment]:
    """The addresses of the app. Raises NotFound when there is no such app."""
    response = fly.call("GET", f"/apps/{app}/ip_assignments", doing=f"list the addresses of app {app}", shape=_Listed)
    return [assignment for assignment in response.ips if assignment.ip]


def release(fly: Fly, app: str, ip: str) -> None:
    """Release the address; succeeds when the app does not have it."""
    path, doing = f"/apps/{app}/ip_assignments/{ip}", f"release address {ip} of app {app}"
    fly.call("DELETE", path, doing=doing, accept=(404,), safe=True)


def assign(fly: Fly, app: str, kind: str, region: str | None) -> IpAssignment:
    body = {"type": kind, **({"region": region} if region else {})}
    doing = f"assign a {kind} address to app {app}"
    return fly.call("POST", f"/apps/{app}/ip_assignments", doing=doing, shape=IpAssignment, body=body)
