"""What talks to Fly's APIs: one module per kind of object, named as Fly names it."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
