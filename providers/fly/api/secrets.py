"""The secrets of an app: values are write-only, and Fly shows an opaque digest for each."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from providers.fly.api import machines
from providers.fly.api.client import Fly


class Secret(msgspec.Struct):
    name: str
    digest: str = ""
    updated_at: str = ""
    """RFC 3339."""

    @property
    def set_at(self) -> float:
        """When it was set, in milliseconds since 1970; 0 if Fly does not say."""
        try:
            return datetime.fromisoformat(self.updated_at).timestamp() * 1000
        except ValueError:
            return 0.0


class Secrets(msgspec.Struct):
    secrets: list[Secret]

    @property
    def digests(self) -> dict[str, str]:
        return {secret.name: secret.digest for secret in self.secrets}


class Written(Secrets):
    version: int
    """Counts the writes to the app's secrets."""


def list_all(fly: Fly, app: str) -> Secrets:
    """The names and digests. Raises NotFound when there is no such app."""
    return fly.call("GET", f"/apps/{app}/secrets", doing=f"list the secrets of app {app}", shape=Secrets)


def write(fly: Fly, app: str, values: Mapping[str, str | None]) -> Written:
    """Set what has a value and unset what has None, in one batch. Idempotent."""
    if not values:
        return Written(secrets=[], version=0)
    return fly.call(
        "POST",
        f"/apps/{app}/secrets",
        doing=f"set the secrets of app {app}",
        shape=Written,
        body={"values": dict(values)},
        safe=True,
    )


def staged(listed: Iterable[Secret], living: Iterable[machines.Machine]) -> list[str]:
    """The names of the secrets that were set after a machine got its version: that machine does not have them yet."""
    oldest = min((machines.ordered_at(machine.instance_id) for machine in living), default=0.0)
    return sorted(secret.name for secret in listed if 0 < oldest < secret.set_at)
