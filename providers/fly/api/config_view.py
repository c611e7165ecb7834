"""A machine's config, and the fields of it that we read. Pure: previews use it."""

from typing import Any

import msgspec

from providers.decoding import require
from providers.fly.api.durations import is_duration
from providers.fly.api.guest import Guest

Config = dict[str, Any]
"""A machine's config as Fly has it: an open document, which is sent, stored and compared as a whole."""


class Mount(msgspec.Struct):
    path: str = ""
    volume: str | None = None


class ServiceCheck(msgspec.Struct):
    type: str = ""


class Service(msgspec.Struct):
    autostop: bool | str = False
    """Sent as off, stop or suspend; returned as a boolean too."""
    checks: list[ServiceCheck] = []


class StopConfig(msgspec.Struct):
    timeout: str | float | None = None

    def __post_init__(self) -> None:
        require(is_duration(self.timeout or 0), "Expected a duration - at timeout")


class ConfigView(msgspec.Struct):
    """The fields of a machine's config that we read."""

    image: str = ""
    metadata: dict[str, str] = {}
    mounts: list[Mount] = []
    services: list[Service] = []
    checks: dict[str, ServiceCheck] = {}
    guest: Guest | None = None
    stop_config: StopConfig | None = None

    @property
    def volume_id(self) -> str | None:
        """The volume that is mounted; a machine has at most one."""
        return self.mounts[0].volume if self.mounts else None


def view(config: Config) -> ConfigView:
    """The fields of `config` that we read. Raises msgspec.ValidationError."""
    return msgspec.convert({key: value for key, value in config.items() if value is not None}, ConfigView)
