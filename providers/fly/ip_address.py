"""An address of an app. A public app needs an IPv6 address and at least the shared IPv4 one.

Fly gives addresses no id, so the address is the id, and no field can be changed.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pulumi import Output

from providers import waiting
from providers.adoption import Adoptable
from providers.creation import LOOK_AGAIN_SECONDS, create_idempotent, keep_first
from providers.errors import ErrorText, Problem, ProblemText, TimedOut
from providers.fly.api import client, ip_assignments
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field
from providers.resource import Resource

Kind = Literal["shared_v4", "v4", "v6", "private_v6"]

NO_REGION = ProblemText("region", "an address of type {type} cannot have a region", remedy="leave region out")
NO_ADDRESS = ErrorText(
    "Fly assigned a {type} address to app {app}, but its response has no address", remedy="run `pulumi up` again"
)


class IpAddressArgs(Adoptable):
    app: Annotated[Input[str], REPLACES]
    """Changing it replaces the address."""
    type: Annotated[Input[Kind], REPLACES]
    """A dedicated `v4` costs money, `shared_v4` and `v6` do not. Changing it replaces the address."""
    region: Annotated[Input[str | None], REPLACES] = field(default=None)
    """Only for dedicated addresses; anycast when absent. Changing it replaces the address."""


class IpAddressState(IpAddressArgs):
    address: str = ""


class IpAddressProvider(FlyProvider[IpAddressArgs, IpAddressState]):
    Args = IpAddressArgs
    State = IpAddressState

    def validate(self, args: IpAddressArgs, old: IpAddressArgs | None) -> Iterable[Problem]:
        if args.region and args.type in ("shared_v4", "private_v6"):
            yield NO_REGION(type=args.type)

    def ensure(self, args: IpAddressArgs) -> tuple[str, IpAddressState]:
        address = find(self.fly, args) or self._assign_once(args)
        return address, _state(args, address)

    def observe(self, id: str, state: IpAddressState) -> IpAddressState | None:
        """An address that is not listed is looked for again: a list can lag behind its creation."""
        try:
            waiting.poll(
                lambda: (
                    True if id in {address.ip for address in ip_assignments.list_all(self.fly, state.app)} else None
                ),
                seconds=LOOK_AGAIN_SECONDS,
                waiting_for=f"address {id} of app {state.app} to be listed",
            )
        except (client.NotFound, TimedOut):
            return None
        return _state(state, id)

    def remove(self, id: str, state: IpAddressState) -> None:
        ip_assignments.release(self.fly, state.app, id)

    def _assign_once(self, args: IpAddressArgs) -> str:
        def listed() -> "list[ip_assignments.IpAssignment]":
            return find_all(self.fly, args)

        assigned = create_idempotent(
            lambda: self._assign(args),
            lambda: next(iter(listed()), None),
            what=f"the {args.type} address of app {args.app}",
        )
        return keep_first(
            assigned,
            listed,
            key=lambda each: each.ip,
            delete=lambda each: ip_assignments.release(self.fly, args.app, each.ip),
        ).ip

    def _assign(self, args: IpAddressArgs) -> "ip_assignments.IpAssignment":
        assigned = client.retry_until_visible(lambda: ip_assignments.assign(self.fly, args.app, args.type, args.region))
        if not assigned.ip:
            raise NO_ADDRESS(type=args.type, app=args.app)
        return assigned


def find(fly: "client.Fly", args: IpAddressArgs) -> str | None:
    """The address with that type and region that the app has already."""
    return next((address.ip for address in find_all(fly, args)), None)


def find_all(fly: "client.Fly", args: IpAddressArgs) -> "list[ip_assignments.IpAssignment]":
    """The addresses with that type and region."""
    return [address for address in ip_assignments.list_all(fly, args.app) if _matches(address, args)]


def _matches(found: "ip_assignments.IpAssignment", args: IpAddressArgs) -> bool:
    same_region = args.region is None or found.region == args.region
    return not found.egress and found.kind == args.type and same_region


def _state(args: IpAddressArgs, address: str) -> IpAddressState:
    return IpAddressState(app=args.app, type=args.type, region=args.region, address=address)


class IpAddress(Resource[IpAddressArgs], module="fly", name="IpAddress"):
    """An address of a Fly app; its id is the address. Changing any argument replaces it."""

    provider = IpAddressProvider

    address: Output[str]
