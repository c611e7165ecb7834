"""fly.toml: read with line numbers, and rendered to the machine config that `fly deploy` renders.

`reader` says what the file may hold, `services` reads what the machine serves and how it is checked, `tables` knows TOML, line
numbers, sizes and durations.
"""

from providers.fly.appconfig.reader import AppConfig, Mount, load
from providers.fly.appconfig.tables import line_numbers

__all__ = ["AppConfig", "Mount", "line_numbers", "load"]
