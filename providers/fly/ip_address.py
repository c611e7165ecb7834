"""An address of an app. A public app needs two: an IPv6 one and at least the shared IPv4 one (fly.md, section 9).

Fly gives addresses no id, so the address is the id, and no field can be changed.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pulumi import Output

from providers.errors import ProviderError
from providers.fly.api.client import Fly, NotFound, just_made
from providers.fly.provider import FlyProvider, make_once
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

Kind = Literal["shared_v4", "v4", "v6", "private_v6"]


@record
class IpAddressArgs:
    app: Annotated[Input[str], REPLACES]
    """Changing it replaces the address."""
    type: Annotated[Input[Kind], REPLACES]
    """A dedicated `v4` costs money, `shared_v4` and `v6` do not. Changing it replaces the address."""
    region: Annotated[Input[str | None], REPLACES] = field(default=None)
    """Only for dedicated addresses; anycast when absent. Changing it replaces the address."""


@record
class IpAddressState(IpAddressArgs):
    address: str = ""


class IpAddressProvider(FlyProvider[IpAddressArgs, IpAddressState]):
    Args = IpAddressArgs
    State = IpAddressState

    def validate(self, args: IpAddressArgs, old: IpAddressArgs | None) -> Iterable[str]:
        if args.region and args.type in ("shared_v4", "private_v6"):
            yield f"region cannot be chosen for an address of type {args.type}: leave it out"

    def ensure(self, args: IpAddressArgs) -> tuple[str, IpAddressState]:
        def find_own() -> str | None:
            return find(self.fly, args)

        address = find_own() or make_once(
            lambda: self._make(args), find_own, what=f"the {args.type} address of {args.app!r}"
        )
        return address, _state(args, address)

    def observe(self, id: str, state: IpAddressState) -> IpAddressState | None:
        try:
            found = any(one["ip"] == id for one in _list(self.fly, state.app))
        except NotFound:
            return None
        return _state(state, id) if found else None

    def remove(self, id: str, state: IpAddressState) -> None:
        self.fly.call(
            "DELETE",
            f"/apps/{state.app}/ip_assignments/{id}",
            doing=f"release the address {id} of the app {state.app!r}",
            accept=(404,),
            safe=True,
        )

    def _make(self, args: IpAddressArgs) -> str:
        body = {"type": args.type, "region": args.region}
        answer = just_made(
            lambda: self.fly.call(
                "POST",
                f"/apps/{args.app}/ip_assignments",
                doing=f"assign a {args.type} address to the app {args.app!r}",
                body={key: value for key, value in body.items() if value is not None},
            )
        )
        address = answer.get("ip")
        if not address:
            raise ProviderError(f"Fly assigned a {args.type} address to {args.app!r} but named none: run up again")
        return str(address)


def find(fly: Fly, args: IpAddressArgs) -> str | None:
    """The address of that type and region which the app has already."""
    return next((one["ip"] for one in _list(fly, args.app) if _matches(one, args)), None)


def _list(fly: Fly, app: str) -> list[dict[str, Any]]:
    answer = fly.call("GET", f"/apps/{app}/ip_assignments", doing=f"list the addresses of the app {app!r}")
    return [one for one in answer.get("ips") or () if one.get("ip")]


def _matches(found: dict[str, Any], args: IpAddressArgs) -> bool:
    same_region = args.region is None or found.get("region") == args.region
    return not found.get("egress") and _kind(found) == args.type and same_region


def _kind(found: dict[str, Any]) -> Kind:
    """The type of an address; the documented answer has none, so it is read off the address itself."""
    if ":" in found["ip"]:
        return "private_v6" if found.get("network") or found["ip"].startswith("fdaa:") else "v6"
    return "shared_v4" if found.get("shared") else "v4"


def _state(args: IpAddressArgs, address: str) -> IpAddressState:
    return IpAddressState(app=args.app, type=args.type, region=args.region, address=address)


class IpAddress(Resource[IpAddressArgs], module="fly", name="IpAddress"):
    """An address of a Fly app; its id is the address. Changing any argument replaces it."""

    provider = IpAddressProvider

    address: Output[str]
