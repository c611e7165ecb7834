"""fly.toml: read with line numbers, and rendered to the machine config that `fly deploy` renders.

`reader` has the sections, `services` the services and checks, `tables` TOML with line numbers, sizes and durations.
"""

from providers.fly.appconfig.reader import AppConfig, Mount, ReleaseCommand, load

__all__ = ["AppConfig", "Mount", "ReleaseCommand", "load"]
