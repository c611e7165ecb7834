"""The content of a fly.toml, as it is read."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from providers.errors import Problem
from providers.fly.api.config_view import Config

DEPLOY_SECONDS = RELEASE_SECONDS = 300.0


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """The volume that fly.toml asks for."""

    source: str
    destination: str
    initial_size_gb: int = 1
    snapshot_retention: int = 5
    scheduled_snapshots: bool = True


class ReleaseCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command that runs in a temporary machine before an update, with the new image."""

    command: str
    """As it is written."""
    config: Config
    """The machine config that `fly deploy` renders for it, without `image`; without a guest unless the file has one for it."""
    seconds: float = RELEASE_SECONDS
    """How long it may run."""


class AppConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The content of fly.toml. With `problems` (`key` is file and line, `fly.toml:12`) what is `damaged` is incomplete."""

    path: str
    app: str | None = None
    primary_region: str | None = None
    image: str | None = None
    process_group: str = "app"
    mount: Mount | None = None
    wait_seconds: float = DEPLOY_SECONDS
    document: Config = msgspec.field(default_factory=dict)
    """The whole file, as it is recorded with a release."""
    config: Config = msgspec.field(default_factory=dict)
    """The machine config that `fly deploy` renders, without `image` and without the volume's id."""
    release: ReleaseCommand | None = None
    strategy: str = "rolling"
    problems: tuple[Problem, ...] = ()
    damaged: frozenset[str] | None = frozenset()
    """Names of the top-level keys and tables that have problems; None if all of the file is unknown because of them."""
    warnings: tuple[Problem, ...] = ()
    """What the file has and is not used here, in the form of `problems`."""
    lines: Callable[[tuple[str, ...]], int] = lambda _: 1
    """The line of the key at a path, or of the innermost table around it."""
    service_paths: tuple[str, ...] = ()
    """The names of the tables of the config's services: `http_service`, `services[0]`, …"""

    def place(self, *path: str) -> str:
        """File and line of the key at `path`: `fly.toml:12`."""
        return f"{Path(self.path).name}:{self.lines(path)}"

    def is_sound(self, *names: str) -> bool:
        """Whether these top-level keys and tables have no problem, so that what they say, or that they are missing, is known."""
        return self.damaged is not None and self.damaged.isdisjoint(names)

    @property
    def env(self) -> dict[str, str]:
        return dict(self.config.get("env", {}))

    @property
    def guest(self) -> Config | None:
        return self.config.get("guest")
