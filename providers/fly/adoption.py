"""Finding what somebody has made by hand: each object by the key that tells it from its like, and what nobody has claimed.

Reads only. `up` adopts by the same keys; this is for those who want to see first what it would find.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from providers.errors import ProviderError
from providers.fly import ip_address
from providers.fly.api import certificates, machines, postgres, volumes
from providers.fly.api.client import Fly, NotFound
from providers.fly.app import AppProvider
from providers.fly.certificate import CertificateProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.volume import VolumeProvider
from providers.resource import Provider


class OtherName(ProviderError):
    """The object is there under another name, `name`, and Fly changes no name."""

    __module__ = "builtins"

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def _volume(fly: Fly, args: Any) -> str | None:
    return _only(volumes.living(fly, args.app, args.name, args.region), f"volumes {args.name!r} in {args.region}")


def _machine(fly: Fly, args: Any) -> str | None:
    found = machines.living(fly, args.app)
    for machine in found:
        volume = next((mount.get("volume") for mount in machine["config"].get("mounts") or ()), None)
        if args.volume_id and volume == args.volume_id and machine["name"] != args.name:
            raise OtherName(
                f"the machine with the volume {volume} of {args.app!r} is called {machine['name']!r}, not {args.name!r}, "
                "and no name can be changed",
                machine["name"],
            )
    return _only([machine for machine in found if machine["name"] == args.name], f"machines {args.name!r}")


def _postgres(fly: Fly, args: Any) -> str | None:
    return _only(postgres.living(fly, args.org, args.name), f"Postgres clusters {args.name!r}")


def _certificate(fly: Fly, args: Any) -> str | None:
    return f"{args.app}/{args.hostname}" if certificates.find(fly, args.app, args.hostname) else None


LOCATE: Mapping[type[Provider[Any, Any]], Callable[[Fly, Any], str | None]] = {
    AppProvider: lambda fly, args: args.name,
    CertificateProvider: _certificate,
    IpAddressProvider: ip_address.find,
    MachineProvider: _machine,
    ManagedPostgresProvider: _postgres,
    VolumeProvider: _volume,
}
"""The id of the object that such arguments mean; None when there is none. What is not listed is no object that one could find:
evidence, a gate, or secrets, whose values nobody can read."""


def unclaimed(fly: Fly, app: str, claimed: set[str]) -> Iterator[str]:
    """What the app has besides the objects with the ids `claimed`."""
    for machine in machines.living(fly, app):
        if machine["id"] not in claimed:
            yield f"machine {machine['id']} {machine['name']!r} in {machine['region']}"
    for volume in _list(fly, app, "volumes", ""):
        if volume["id"] not in claimed and not volumes.is_gone(volume):
            yield f"volume {volume['id']} {volume['name']!r} in {volume['region']}"
    for address in _list(fly, app, "ip_assignments", "ips"):
        if address.get("ip") not in claimed:
            yield f"address {address.get('ip')}"
    for certificate in _list(fly, app, "certificates", "certificates"):
        if f"{app}/{certificate['hostname']}" not in claimed:
            yield f"certificate of {certificate['hostname']}"


def secret_names(fly: Fly, app: str) -> set[str]:
    """The names of the secrets that the app has."""
    return {secret["name"] for secret in _list(fly, app, "secrets", "secrets")}


def _list(fly: Fly, app: str, what: str, key: str) -> list[dict[str, Any]]:
    try:
        answer = fly.call("GET", f"/apps/{app}/{what}", doing=f"list the {what} of the app {app!r}")
    except NotFound:
        return []
    return list((answer.get(key) if key else answer) or ())


def _only(found: list[dict[str, Any]], what: str) -> str | None:
    if len(found) > 1:
        raise ProviderError(f"there are {len(found)} {what}: {', '.join(one['id'] for one in found)}; keep one")
    return str(found[0]["id"]) if found else None
