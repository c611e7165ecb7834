"""The monitor: a second Fly app that watches the backend and sends alerts."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
