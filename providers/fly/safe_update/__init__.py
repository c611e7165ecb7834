"""A safe update of a running machine: compare configs, update, verify, roll back."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
