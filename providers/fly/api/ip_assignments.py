"""The addresses of an app. An address has no id and, in the documented response, no type."""

from typing import Literal

import msgspec

from providers.fly.api.client import Fly

Kind = Literal["shared_v4", "v4", "v6", "private_v6"]


class Network(msgspec.Struct):
    name: str = ""


class IpAssignment(msgspec.Struct):
    ip: str = ""
    region: str = ""
    shared: bool = False
    egress: bool = False
    network: Network | None = None
    """Only private addresses have one."""

    @property
    def kind(self) -> Kind:
        if ":" in self.ip:
            return "private_v6" if self.network or self.ip.startswith("fdaa:") else "v6"
        return "shared_v4" if self.shared else "v4"


class _Listed(msgspec.Struct):
    ips: list[IpAssignment] = []


def list_all(fly: Fly, app: str) -> list[IpAssignment]:
    """The addresses of the app. Raises NotFound when there is no such app."""
    response = fly.call("GET", f"/apps/{app}/ip_assignments", doing=f"list the addresses of app {app}", shape=_Listed)
    return [assignment for assignment in response.ips if assignment.ip]


def assign(fly: Fly, app: str, kind: Kind, region: str | None) -> IpAssignment:
    body = {"type": kind, **({"region": region} if region else {})}
    doing = f"assign a {kind} address to app {app}"
    return fly.call("POST", f"/apps/{app}/ip_assignments", doing=doing, shape=IpAssignment, body=body)
