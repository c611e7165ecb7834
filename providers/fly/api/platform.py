"""What Fly says of the token and of its regions: asked by the preflight."""

from collections.abc import Mapping

import msgspec

from providers.fly.api.client import Fly


class Token(msgspec.Struct):
    organization: str = ""
    """Its name."""
    org_slug: str = ""
    apps: list[str] = []
    """The only apps that the token gives access to; empty for all."""


class _Tokens(msgspec.Struct):
    tokens: list[Token]


class Region(msgspec.Struct):
    code: str
    deprecated: bool = False
    mpg_available: bool = True
    """Whether Managed Postgres is offered."""


class _Apps(msgspec.Struct):
    apps: list[object]


class _Regions(msgspec.Struct):
    regions: list[Region]


class _Placement(msgspec.Struct):
    region: str = ""
    count: int = 0


class _Placements(msgspec.Struct):
    regions: list[_Placement]


def current_tokens(fly: Fly) -> list[Token]:
    """What the token in use gives access to; a combined token has several parts."""
    return fly.call("GET", "/tokens/current", doing="read what the token gives access to", shape=_Tokens).tokens


def can_list_apps(fly: Fly, org: str) -> None:
    """Raises FlyError when the token has no access to the organisation."""
    params = {"org_slug": org, "limit": 1}
    fly.call("GET", "/apps", doing=f"list the apps of organisation {org}", params=params, shape=_Apps)


def regions(fly: Fly) -> dict[str, Region]:
    """The regions by code."""
    response = fly.call("GET", "/platform/regions", doing="list the regions", shape=_Regions)
    return {region.code: region for region in response.regions}


def has_capacity(fly: Fly, org: str, region: str, requested: Mapping[str, object]) -> bool:
    """Whether the region has capacity for one machine with the `requested` compute and volume."""
    body = {"org_slug": org, "region": region, "count": 1, **requested}
    doing = f"look for capacity in {region}"
    response = fly.call("POST", "/platform/placements", doing=doing, shape=_Placements, body=body, safe=True)
    return any(placement.region == region and placement.count > 0 for placement in response.regions)
