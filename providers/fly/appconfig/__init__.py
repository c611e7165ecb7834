"""fly.toml: read with line numbers, and rendered to the machine config that `fly deploy` renders.

`reader` has the sections, `services` the services and checks, `keys` the keys that are not read, `app_config` the result, and
`tables` TOML with line numbers, sizes and durations.
"""

from providers.fly.appconfig.app_config import AppConfig, Mount, ReleaseCommand
from providers.fly.appconfig.reader import load

__all__ = ["AppConfig", "Mount", "ReleaseCommand", "load"]
