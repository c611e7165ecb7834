"""Better Stack: `api.py` talks to its Uptime API, `monitor.py` and `first_check.py` are the resources."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
