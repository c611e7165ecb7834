"""Modules that are imported when they are first used.

A preview calls no vendor, so it needs none of their clients, and each run of the engine starts two processes (decision 20). A package
with modules that few runs need has `__getattr__ = lazy.submodules(__name__)`, and is used like any other:

    from providers.fly.api import volumes  # imports nothing yet

    def grow(volume: "volumes.Volume") -> None:  # in quotes, because Python evaluates annotations
        volumes.extend(volume)  # imports providers.fly.api.volumes

`from providers.fly.api.volumes import Volume` imports it at once.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    """Stands for the module of its name: its attributes are those of the module."""

    def __getattribute__(self, name: str) -> Any:
        return getattr(_imported(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_imported(self), name, value)


def _imported(stand_in: _Lazy) -> ModuleType:
    return import_module(ModuleType.__getattribute__(stand_in, "__name__"))


def submodules(package: str) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a package whose modules are imported when they are first used."""

    def submodule(name: str) -> ModuleType:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Lazy(f"{package}.{name}")

    return submodule
