"""The backend on Fly.io: app, database, image, machine, and the proof that it is healthy."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
