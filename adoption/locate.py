"""Objects that were created by hand: the id of each by its natural key, and what no resource claims.

Reads only. `pulumi up` adopts by the same keys; this shows beforehand what it would find.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from providers.errors import ErrorText, ProviderError
from providers.fly import ip_address
from providers.fly.api import certificates, ip_assignments, machines, postgres, secrets, volumes
from providers.fly.api.client import Fly, NotFound
from providers.fly.app import AppProvider
from providers.fly.certificate import CertificateArgs, CertificateProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import MachineArgs
from providers.fly.managed_postgres import ManagedPostgresArgs, ManagedPostgresProvider
from providers.fly.volume import VolumeArgs, VolumeProvider
from providers.resource import Provider

T = TypeVar("T")


class OtherName(ProviderError):
    """The object exists under another name, `name`, and Fly cannot rename it."""

    __module__ = "builtins"

    def __init__(self, message: str, *, remedy: str = "", name: str) -> None:
        super().__init__(message, remedy=remedy)
        self.name = name


OTHER_NAME = ErrorText(
    "the machine with volume {volume_id} of app {app} is called {found}, not {name}, and a machine cannot be renamed",
    error=OtherName,
)
SEVERAL = ErrorText("there are {count} {what}: {ids}", remedy="delete all but one")


def _volume(fly: Fly, args: VolumeArgs) -> str | None:
    found = volumes.living(fly, args.app, args.name, args.region)
    return _only([volume.id for volume in found], f"volumes {args.name} in {args.region}")


def _machine(fly: Fly, args: MachineArgs) -> str | None:
    found = machines.living(fly, args.app)
    for machine in found:
        volume_id = machine.view.volume_id
        if args.volume_id and volume_id == args.volume_id and machine.name != args.name:
            message, _ = OTHER_NAME.fill(volume_id=volume_id, app=args.app, found=machine.name, name=args.name)
            raise OtherName(message, name=machine.name)
        if machine.name == args.name:
            machines.check_host(args.app, machine)  # Its config cannot be read, so it cannot be compared.
    return _only([machine.id for machine in found if machine.name == args.name], f"machines {args.name}")


def _postgres(fly: Fly, args: ManagedPostgresArgs) -> str | None:
    return _only(
        [cluster.id for cluster in postgres.living(fly, args.org, args.name)], f"Postgres clusters {args.name}"
    )


def _certificate(fly: Fly, args: CertificateArgs) -> str | None:
    return f"{args.app}/{args.hostname}" if certificates.find(fly, args.app, args.hostname) else None


LOCATE: Mapping[type[Provider[Any, Any]], Callable[[Fly, Any], str | None]] = {
    AppProvider: lambda fly, args: args.name,
    CertificateProvider: _certificate,
    IpAddressProvider: ip_address.find,
    MachineProvider: _machine,
    ManagedPostgresProvider: _postgres,
    VolumeProvider: _volume,
}
"""The id of the object with such arguments; None when there is none. Other resources cannot be found: evidence, gates, and
secrets, whose values nobody can read."""


def unclaimed(fly: Fly, app: str, claimed: set[str]) -> Iterator[str]:
    """What the app has besides the objects with the ids `claimed`."""
    for machine in machines.living(fly, app):
        if machine.id not in claimed:
            yield f"machine {machine.id} {machine.name!r} in {machine.region}"
    for volume in _listed(lambda: volumes.list_all(fly, app)):
        if volume.id not in claimed and not volume.is_gone:
            yield f"volume {volume.id} {volume.name!r} in {volume.region}"
    for address in _listed(lambda: ip_assignments.list_all(fly, app)):
        if address.ip not in claimed:
            yield f"address {address.ip}"
    for certificate in _listed(lambda: certificates.list_all(fly, app)):
        if f"{app}/{certificate.hostname}" not in claimed:
            yield f"certificate of {certificate.hostname}"


def secret_names(fly: Fly, app: str) -> set[str]:
    """The names of the app's secrets."""
    return {secret.name for secret in _listed(lambda: secrets.list_all(fly, app).secrets)}


def _listed(list_all: Callable[[], Sequence[T]]) -> Sequence[T]:
    """The list; empty when there is no such app."""
    try:
        return list_all()
    except NotFound:
        return ()


def _only(ids: list[str], what: str) -> str | None:
    if len(ids) > 1:
        raise SEVERAL(count=len(ids), what=what, ids=", ".join(ids))
    return ids[0] if ids else None
