"""Checks and records as resources: each is the evidence of something that was tried and seen."""

from providers import lazy

__getattr__ = lazy.submodules(__name__)
