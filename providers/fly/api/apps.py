"""Apps: their shape, and looking one up."""

import msgspec

from providers.fly.api.client import Fly


class Organization(msgspec.Struct):
    slug: str


class App(msgspec.Struct):
    organization: Organization
    id: str | int = ""
    """Fly's own id: it tells an app from a later one with the same name."""
    status: str = ""
    network: str | None = None


def look_up(fly: Fly, name: str) -> App:
    """The app of that name. Raises NotFound, or Forbidden when another organisation has the name."""
    return fly.call("GET", f"/apps/{name}", doing=f"look up app {name}", shape=App)
